// @ts-check

// What the generator is held to, each a ratio within one run:
//
//   prefix      32 jobs that share 1,024 tokens: prompt tokens computed, against one job's; pages they take
//   stalls      a prompt of 4,000 tokens arrives while 8 jobs stream: their longest gap, against their median before
//   batch       tokens/s of 16 jobs side by side, against one job
//   overhead    processor time of everything in JavaScript for a step of 16 jobs, with a model that takes none
//
//   node bench/generator.mjs [--only prefix,stalls,batch,overhead] [--model DIR] [--threads 2] [--json]
//
// Without --model the first two run on a random model of 130M parameters, the third on one of 1.1B, written to a
// temporary directory.

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {loadModel} from 'node-exllama';
import {stepOverhead} from './overhead.mjs';
import {writeRandomModel} from './random-model.mjs';
import {median, table} from './table.mjs';

const {values} = parseArgs({
	options: {
		only: {type: 'string', default: 'prefix,stalls,batch,overhead'},
		model: {type: 'string'},
		threads: {type: 'string', default: '2'},
		json: {type: 'boolean'},
	},
});
const threads = Number(values.threads);

const scratch = mkdtempSync(join(tmpdir(), 'exl-bench-'));

/** @typedef {import('node-exllama').Model} Model */
/** @typedef {{name: string, what: string, value: number, bar: number, atLeast?: boolean}} Result */

/** Tokens that are not the end of a text and not all alike. @param {number} length @param {number} seed */
const tokens = (length, seed) => Array.from({length}, (_, i) => 10 + ((i * 7919 + seed * 104_729) % 20_000));

/** Never ends before `n` tokens. @param {number} n */
const exactly = n => ({temperature: 0, minTokens: n, maxTokens: n});

/** @param {string} shape @param {number} context @param {{tokens: number, maxBatch: number}} size @param {(model: Model) => Promise<Result[]>} run */
async function withModel(shape, context, {tokens, maxBatch}, run) {
	const directory = values.model ?? join(scratch, `${shape}-${context}`);
	if (!values.model) await writeRandomModel(directory, {shape, context});
	const model = await loadModel(directory, {device: 'cpu', threads, cache: {tokens}, maxBatch});
	try {
		return await run(model);
	} finally {
		await model.dispose();
	}
}

/** @param {Model} model @returns {Promise<Result[]>} */
async function prefix(model) {
	const shared = tokens(1024, 1);
	const tail = 16;
	const before = (await model.generator.snapshot()).pages;
	let most = 0;
	const watch = async () => {
		for (;;) {
			const {jobs, pages} = await model.generator.snapshot();
			most = Math.max(most, pages.used);
			if (jobs.length === 0) return;
			await new Promise(resolve => setTimeout(resolve, 1));
		}
	};
	const jobs = Array.from({length: 32}, (_, i) => model.complete([...shared, ...tokens(tail, i + 2)], exactly(8)));
	await new Promise(resolve => setImmediate(resolve));
	const [results] = await Promise.all([Promise.all(jobs), watch()]);
	const computed = results.reduce((sum, {promptTokens, cachedTokens}) => sum + promptTokens - cachedTokens, 0);
	// Their tails are work that nobody can share.
	const own = 31 * tail;
	return [
		{
			name: 'prefix',
			what: 'prompt tokens computed for what is shared, against one job',
			value: (computed - own) / (1024 + tail),
			bar: 1.1,
		},
		{name: 'prefix', what: 'pages, against one prefix and a private page per job', value: most / (4 + 32), bar: 1},
		{name: 'prefix', what: 'pages used before', value: before.used, bar: 0},
	];
}

/** @param {number[]} list @param {number} share */
const quantile = (list, share) => [...list].sort((a, b) => a - b)[Math.floor(list.length * share)] ?? 0;

/** @param {Model} model @returns {Promise<Result[]>} */
async function stalls(model) {
	/** @type {number[][]} */
	const gaps = [];
	const stop = new AbortController();
	const streams = Array.from({length: 8}, async (_, i) => {
		/** @type {number[]} */
		const mine = [];
		gaps.push(mine);
		let last = 0;
		try {
			for await (const _ of model.generate(tokens(20, i), {
				temperature: 0,
				minTokens: 2000,
				maxTokens: 2000,
				signal: stop.signal,
			})) {
				const now = performance.now();
				if (last > 0) mine.push(now - last);
				last = now;
			}
		} catch (error) {
			if (!stop.signal.aborted) throw error;
		}
	});
	await new Promise(resolve => setTimeout(resolve, 3000));
	const usual = gaps.map(median);
	// What the machine does by itself to steps that nothing joins.
	const noise = Math.max(...gaps.map((mine, i) => Math.max(...mine) / (usual[i] ?? 0)));
	for (const mine of gaps) mine.length = 0;
	const started = performance.now();
	const {cachedTokens} = await model.complete(tokens(4000, 99), exactly(1));
	const seconds = (performance.now() - started) / 1000;
	stop.abort(new Error('enough'));
	await Promise.all(streams);
	const nearly = Math.max(...gaps.map((mine, i) => quantile(mine, 0.99) / (usual[i] ?? 0)));
	const worst = Math.max(...gaps.map((mine, i) => Math.max(...mine) / (usual[i] ?? 0)));
	return [
		{name: 'stalls', what: 'longest gap of a stream, against its median before', value: worst, bar: 2.5},
		{name: 'stalls', what: 'the same for 99 gaps of 100', value: nearly, bar: 2.5},
		{name: 'stalls', what: 'the same before the prompt came', value: noise, bar: Number.POSITIVE_INFINITY},
		{
			name: 'stalls',
			what: `seconds until the prompt was done (${cachedTokens} tokens cached)`,
			value: seconds,
			bar: Number.POSITIVE_INFINITY,
		},
	];
}

/** @param {Model} model @returns {Promise<Result[]>} */
async function batch(model) {
	/** @param {number} jobs @param {number} n */
	const speed = async (jobs, n) => {
		const started = performance.now();
		await Promise.all(Array.from({length: jobs}, (_, i) => model.complete(tokens(4, i + n), exactly(n))));
		return (jobs * n * 1000) / (performance.now() - started);
	};
	await speed(1, 4);
	const ratios = [];
	const one = [];
	for (let round = 0; round < 3; round++) {
		const alone = await speed(1, 24);
		one.push(alone);
		ratios.push((await speed(16, 24)) / alone);
	}
	return [
		{name: 'batch', what: 'tokens/s of 16 jobs, against one', value: median(ratios), bar: 4, atLeast: true},
		{name: 'batch', what: 'tokens/s of one', value: median(one), bar: 0, atLeast: true},
	];
}

const parts = {
	prefix: () => withModel('130m', 2048, {tokens: 16_384, maxBatch: 32}, prefix),
	stalls: () => withModel('130m', 4608, {tokens: 32_768, maxBatch: 16}, stalls),
	batch: () => withModel('1b', 2048, {tokens: 8192, maxBatch: 16}, batch),
	overhead: async () => [
		{name: 'overhead', what: 'µs of processor time per step of 16 jobs', value: await stepOverhead(16), bar: 50},
	],
};

try {
	/** @type {Result[]} */
	const results = [];
	for (const name of values.only.split(',')) {
		const part = Object.entries(parts).find(([key]) => key === name)?.[1];
		if (!part) throw new Error(`no part ${name}; there are ${Object.keys(parts).join(', ')}`);
		results.push(...(await part()));
	}
	const met = (/** @type {Result} */ {value, bar, atLeast}) => (atLeast ? value >= bar : value <= bar);
	if (values.json) console.log(JSON.stringify(results));
	else {
		const rows = results.map(result => [
			result.name,
			result.what,
			result.value.toFixed(2),
			Number.isFinite(result.bar) ? `${result.atLeast ? '≥' : '≤'} ${result.bar}` : '',
			met(result) ? 'ok' : 'missed',
		]);
		console.log(table([['', '', '', 'bar', ''], ...rows]));
	}
	if (!results.every(met)) process.exitCode = 1;
} finally {
	rmSync(scratch, {recursive: true});
}
