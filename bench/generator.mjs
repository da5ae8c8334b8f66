// @ts-check

// What the generator is held to, each a ratio within one run:
//
//   prefix      32 jobs that share 1,024 tokens: prompt tokens computed, against one job's; pages they take
//   stalls      a prompt of 4,000 tokens arrives while 8 jobs stream: their longest gap, against their median without it
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

/**
Eight jobs that stream until `run` is done. @param {Model} model @param {(gaps: number[][]) => Promise<void>} run
@returns {Promise<number[][]>} Milliseconds between the tokens of each.
*/
async function whileStreaming(model, run) {
	/** @type {number[][]} */
	const gaps = [];
	const stop = new AbortController();
	const streams = Array.from({length: 8}, async (_, i) => {
		/** @type {number[]} */
		const mine = [];
		gaps.push(mine);
		let last = 0;
		try {
			for await (const _ of model.generate(tokens(20, i), {...exactly(3000), signal: stop.signal})) {
				const now = performance.now();
				if (last > 0) mine.push(now - last);
				last = now;
			}
		} catch (error) {
			if (!stop.signal.aborted) throw error;
		}
	});
	await run(gaps);
	stop.abort(new Error('enough'));
	await Promise.all(streams);
	return gaps;
}

/** @param {Model} model @returns {Promise<Result[]>} */
async function stalls(model) {
	/** @type {number[]} */
	let before = [];
	let seconds = 0;
	const gaps = await whileStreaming(model, async gaps => {
		await new Promise(resolve => setTimeout(resolve, 3000));
		before = gaps.map(mine => mine.length);
		const started = performance.now();
		await model.complete(tokens(4000, 99), exactly(1));
		seconds = (performance.now() - started) / 1000;
	});
	// Streams get slower as their texts grow, with or without a prompt: the same again, alone, for as long.
	const alone = await whileStreaming(model, async alone => {
		while (alone.some((mine, i) => mine.length < (gaps[i]?.length ?? 0)))
			await new Promise(resolve => setTimeout(resolve, 10));
	});
	/** Each gap from `first` on, against the median of `base` around it. @param {number[]} list @param {number[]} base @param {number} first */
	const against = (list, base, first) =>
		list.slice(first).map((gap, i) => gap / median(base.slice(Math.max(0, first + i - 25), first + i + 25)));
	const ratios = gaps.flatMap((mine, i) => against(mine, alone[i] ?? [], before[i] ?? 0));
	const noise = alone.flatMap((mine, i) => against(mine.slice(0, gaps[i]?.length), mine, before[i] ?? 0));
	const growth = gaps.flatMap((mine, i) => mine.slice(before[i]).map(gap => gap / median(mine.slice(0, before[i]))));
	const unlimited = Number.POSITIVE_INFINITY;
	return [
		{
			name: 'stalls',
			what: 'longest gap of a stream, against its median without the prompt',
			value: Math.max(...ratios),
			bar: 2.5,
		},
		{name: 'stalls', what: 'the same for 99 gaps of 100', value: quantile(ratios, 0.99), bar: 2.5},
		{
			name: 'stalls',
			what: 'longest gap of the run without the prompt, likewise',
			value: Math.max(...noise),
			bar: unlimited,
		},
		{
			name: 'stalls',
			what: 'longest gap, against the median before, when texts were short',
			value: Math.max(...growth),
			bar: unlimited,
		},
		{name: 'stalls', what: 'the same for 99 gaps of 100', value: quantile(growth, 0.99), bar: unlimited},
		{name: 'stalls', what: 'seconds until the prompt was done', value: seconds, bar: unlimited},
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
		const alone = await speed(1, 96);
		one.push(alone);
		ratios.push((await speed(16, 96)) / alone);
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
