// @ts-check

// Real shapes with random weights on a GPU, each figure as a fraction of what the same card does at best in the same run
// (limits.cu):
//
//   decode   a step of 1 to 32 sequences: bytes of weights and cache per second, against those that can be read
//   prefill  a step of 128 to 2,048 tokens of one prompt: floating-point operations, against cuBLAS on halves
//   context  a step of one sequence at 1k, 8k and 32k tokens, by type of cache
//
//   node bench/gpu/index.mjs [--models 8b-exl2-4,...] [--device cuda] [--limits FILE] [--scratch DIR] [--quick] [--json]
//
// --limits names the output of limits.cu, which is compiled by nvcc and run otherwise; without both, or with --limits none,
// there are no fractions. Models are written to a temporary directory, one at a time. --quick: one small model, to see
// that it works.

import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {inspectModel, listDevices} from 'node-exllama';
import {writeRandomModel} from '../random-model.mjs';
import {openSteps} from '../steps.mjs';
import {median, table} from '../table.mjs';
import {measureLimits} from './limits.mjs';
import {models, namesOf} from './models.mjs';

const cacheTypes = ['fp16', 'fp8', 'q8', 'q6', 'q4'];

const {values} = parseArgs({
	options: {
		models: {type: 'string'},
		device: {type: 'string', default: 'cuda'},
		limits: {type: 'string'},
		scratch: {type: 'string', default: tmpdir()},
		repeat: {type: 'string'},
		quick: {type: 'boolean'},
		json: {type: 'boolean'},
	},
});
const names = namesOf(values.models, values.quick ?? false);
const decodeRows = values.quick ? [1, 2] : [1, 2, 4, 8, 16, 32];
const prefillRows = values.quick ? [32] : [128, 512, 2048];
const contexts = values.quick ? [256] : [1024, 8192, 32_768];
const repeat = Number(values.repeat ?? (values.quick ? 1 : 15));

const device = listDevices().find(({id, kind}) => id === values.device || kind === values.device);
if (!device?.usable) throw new Error(`${values.device} cannot be used: ${device?.reason ?? 'there is no such device'}`);

/** @returns {import('./limits.mjs').Limits | undefined} */
function limits() {
	if (values.limits === 'none') return undefined;
	return values.limits === undefined ? measureLimits() : JSON.parse(readFileSync(values.limits, 'utf8'));
}

/** @typedef {Awaited<ReturnType<typeof openSteps>>} Steps */
/** @typedef {{model: string, what: string, rows: number, context: number, cache: string, milliseconds: number, gigabytesPerSecond?: number, ofRead?: number, teraflops?: number, ofCublas?: number}} Result */

/** @param {Steps} steps @param {import('../steps.mjs').Slots} slots */
async function time(steps, slots) {
	const times = [];
	for (let i = 0; i <= repeat; i++) times.push(await steps.run(slots));
	// The first captures a graph.
	return median(times.slice(1));
}

const best = limits();

/** @param {string} model @returns {Promise<{results: Result[], loadMs: number}>} */
async function measure(model) {
	const spec = models[model];
	if (!spec) throw new Error(`no model ${model}; there are ${Object.keys(models).join(', ')}`);
	const directory = mkdtempSync(join(values.scratch, 'exl-gpu-'));
	/** @type {Result[]} */
	const results = [];
	try {
		await writeRandomModel(directory, {...spec, context: Math.max(...contexts)});
		const {weightBytes, kinds, parameters} = await inspectModel(directory);
		// A token reads one row of the embedding.
		const perStep = weightBytes - (kinds.embed_tokens?.bytes ?? 0);
		const linear = parameters - (kinds.embed_tokens?.parameters ?? 0);

		/** @param {Steps} steps @param {number} rows @param {number} context @param {string} cache */
		const decode = async (steps, rows, context, cache) => {
			const milliseconds = await time(steps, steps.decode(rows, context - 1));
			const perSecond = ((perStep + rows * context * steps.cacheTokenBytes) / milliseconds) * 1000;
			results.push({
				model,
				what: 'decode',
				rows,
				context,
				cache,
				milliseconds,
				gigabytesPerSecond: perSecond / 1e9,
				...(best && {ofRead: perSecond / best.readBytesPerSecond}),
			});
		};

		const maxRows = Math.max(...decodeRows, ...prefillRows);
		const shared = {device: values.device, maxRows};
		const batch = Math.max(...decodeRows);
		const steps = await openSteps(directory, {...shared, sequences: batch, longest: Math.max(...prefillRows)});
		const {loadMs} = steps;
		for (const rows of decodeRows) await decode(steps, rows, 128, 'fp16');
		for (const rows of prefillRows) {
			const milliseconds = await time(steps, steps.prefill(rows));
			const perSecond = (2 * linear * rows * 1000) / milliseconds;
			results.push({
				model,
				what: 'prefill',
				rows,
				context: rows,
				cache: 'fp16',
				milliseconds,
				teraflops: perSecond / 1e12,
				...(best && {ofCublas: perSecond / best.halfFlopsPerSecond}),
			});
		}
		await steps.close();
		for (const cacheType of cacheTypes) {
			const longest = Math.max(...contexts);
			const steps = await openSteps(directory, {...shared, maxRows: 1, sequences: 1, longest, cacheType});
			for (const context of contexts) await decode(steps, 1, context, cacheType);
			await steps.close();
		}
		return {results, loadMs};
	} finally {
		rmSync(directory, {recursive: true});
	}
}

const report = [];
for (const model of names) {
	const {results, loadMs} = await measure(model);
	report.push({model, loadMs, results});
	if (values.json) continue;
	const percent = (/** @type {number | undefined} */ share) =>
		share === undefined ? '' : `${(100 * share).toFixed(0)} %`;
	console.log(`${model} on ${device.name}: loaded in ${(loadMs / 1000).toFixed(1)} s`);
	const head = ['', 'rows', 'context', 'cache', 'ms', 'GB/s', 'of read', 'Tflop/s', 'of cuBLAS'];
	const lines = results.map(result => [
		result.what,
		String(result.rows),
		String(result.context),
		result.cache,
		result.milliseconds.toFixed(3),
		result.gigabytesPerSecond?.toFixed(0) ?? '',
		percent(result.ofRead),
		result.teraflops?.toFixed(1) ?? '',
		percent(result.ofCublas),
	]);
	console.log(table([head, ...lines]));
}
if (values.json) console.log(JSON.stringify({device: device.name, limits: best, models: report}));
