// @ts-check

// What a short prompt waits beside a long one, and what that costs those who stream.
//
//   turns   a prompt of 50 tokens arrives while one of 4,000 is computed, nobody streams: steps until its first token
//           (bar: 3, the two under way at its arrival among them), and milliseconds
//   busy    the same while 8 jobs stream, and while 16 do
//   gaps    8 jobs stream, a prompt of 4,000 tokens and short ones beside it are computed: the longest gap of a stream and
//           that of 99 of 100, against the median of the same streams before
//
//   node bench/fairness.mjs [--only turns,busy,gaps] [--model DIR] [--threads 2] [--repeat 1] [--json]
//   node bench/fairness.mjs --against TREE [--pairs 5] ...
//
// With --against, another built tree takes turns with this one, each in a process of its own, and the medians of both and
// the median of their ratios are told. Without --model, a random model of 130M parameters. Steps are counted, so they are
// the same on a busy machine; gaps are not.

import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {parseArgs} from 'node:util';
import {writeRandomModel} from './random-model.mjs';
import {median, table} from './table.mjs';

const {values} = parseArgs({
	options: {
		only: {type: 'string', default: 'turns,busy,gaps'},
		model: {type: 'string'},
		threads: {type: 'string', default: '2'},
		repeat: {type: 'string', default: '1'},
		against: {type: 'string'},
		pairs: {type: 'string', default: '5'},
		tree: {type: 'string'},
		json: {type: 'boolean'},
	},
});

/** @typedef {import('node-exllama').Model} Model */
/** @typedef {Record<string, number>} Figures */

const here = path.dirname(fileURLToPath(import.meta.url));
const longTokens = 4000;
const shortTokens = 50;

/** Gaps of each stream that are looked at: texts grow, and with them gaps, so trees are compared over as many. */
const watched = 800;

let serial = 0;

/** Ids without a pattern, of which nothing is in the cache. @param {Model} model @param {number} length */
function prompt(model, length) {
	const seed = ++serial;
	return Array.from({length}, (_, i) => 10 + (((i + 1) * 7919 + seed * 104_729) % (model.tokenizer.vocabSize - 10)));
}

/** Never ends before `n` tokens. @param {number} n */
const exactly = n => ({temperature: 0, minTokens: n, maxTokens: n});

/** @param {Model} model */
const steps = async model => (await model.generator.snapshot()).steps;

/** Until so many steps more have ended, or there is nothing left to do. @param {Model} model @param {number} count */
async function pass(model, count) {
	const end = (await steps(model)) + count;
	for (;;) {
		const {steps, jobs} = await model.generator.snapshot();
		if (steps >= end || jobs.length === 0) return;
		await new Promise(resolve => setTimeout(resolve, 1));
	}
}

/** What a job of `shortTokens` waits for its first token. @param {Model} model */
async function first(model) {
	const before = await steps(model);
	const started = performance.now();
	const result = await model.complete(prompt(model, shortTokens), exactly(1));
	if (result.cachedTokens > 0) throw new Error(`${result.cachedTokens} tokens of the prompt were in the cache`);
	return {steps: (await steps(model)) - before, ms: performance.now() - started};
}

/**
As many jobs as `count` stream `length` tokens, or until `run` is done. @param {Model} model @param {number} count @param {number} length
@param {(gaps: number[][]) => Promise<void>} run @returns {Promise<number[][]>} Milliseconds between the tokens of each.
*/
async function whileStreaming(model, count, length, run) {
	/** @type {number[][]} */
	const gaps = Array.from({length: count}, () => []);
	const stop = new AbortController();
	const streams = gaps.map(async mine => {
		let last = 0;
		try {
			for await (const {tokenIds} of model.generate(prompt(model, 20), {...exactly(length), signal: stop.signal})) {
				const now = performance.now();
				if (last > 0 && tokenIds.length > 0) mine.push(now - last);
				last = now;
			}
		} catch (error) {
			if (!stop.signal.aborted) throw error;
		}
	});
	while (gaps.some(mine => mine.length < 20)) await pass(model, 1);
	await run(gaps);
	stop.abort(new Error('enough'));
	await Promise.all(streams);
	return gaps;
}

/** A long prompt is being computed until `run` is done. @param {Model} model @param {() => Promise<void>} run */
async function besideLong(model, run) {
	const stop = new AbortController();
	const long = model.complete(prompt(model, longTokens), {...exactly(1), signal: stop.signal});
	long.catch(() => {});
	await pass(model, 2);
	await run();
	stop.abort(new Error('enough'));
	await long.catch(() => {});
}

/** @param {Model} model @returns {Promise<Figures>} */
async function turns(model) {
	/** @type {{steps: number, ms: number}[]} */
	const waits = [];
	for (let after = 0; after < 5; after++) {
		await besideLong(model, async () => {
			await pass(model, after);
			waits.push(await first(model));
		});
	}
	return {
		'turns: most steps until the first token': Math.max(...waits.map(wait => wait.steps)),
		'turns: ms until the first token': median(waits.map(wait => wait.ms)),
	};
}

/** @param {Model} model @returns {Promise<Figures>} */
async function busy(model) {
	/** @type {Figures} */
	const figures = {};
	for (const count of [8, 16]) {
		await whileStreaming(model, count, 2000, async () => {
			await besideLong(model, async () => {
				const {steps, ms} = await first(model);
				figures[`busy: steps until the first token beside ${count} streams`] = steps;
				figures[`busy: ms until the first token beside ${count} streams`] = ms;
			});
		});
	}
	return figures;
}

/** @param {readonly number[]} list @param {number} share */
const quantile = (list, share) => [...list].sort((a, b) => a - b)[Math.floor(list.length * share)] ?? 0;

/** @param {Model} model @returns {Promise<Figures>} */
async function gaps(model) {
	/** @type {number[]} */
	let before = [];
	/** @type {number[]} */
	let after = [];
	const all = await whileStreaming(model, 8, 4500, async gaps => {
		while (gaps.some(mine => mine.length < 100)) await pass(model, 1);
		before = gaps.map(mine => mine.length);
		const long = model.complete(prompt(model, longTokens), exactly(1));
		let isDone = false;
		long.finally(() => {
			isDone = true;
		});
		while (!isDone) {
			await first(model);
			await pass(model, 10);
		}
		after = gaps.map(mine => mine.length);
	});
	const usual = median(all.flatMap((mine, i) => mine.slice(20, before[i])));
	const beside = all
		.flatMap((mine, i) => mine.slice(before[i], Math.min((before[i] ?? 0) + watched, after[i] ?? 0)))
		.map(gap => gap / usual);
	return {
		'gaps: longest, against the median before': Math.max(...beside),
		'gaps: 99 of 100, likewise': quantile(beside, 0.99),
		'gaps: median, likewise': median(beside),
		'gaps: steps until the long prompt was done': Math.max(...after.map((count, i) => count - (before[i] ?? 0))),
	};
}

const parts = {turns, busy, gaps};

/** @param {string} directory @returns {Promise<Figures>} */
async function measure(directory) {
	const entry = values.tree ? pathToFileURL(path.resolve(values.tree, 'dist/index.js')).href : 'node-exllama';
	const {loadModel} = /** @type {typeof import('node-exllama')} */ (await import(entry));
	const options = {cache: {tokens: 49_152}, maxBatch: 18, threads: Number(values.threads)};
	const model = await loadModel(directory, {device: 'cpu', ...options});
	/** @type {Figures[]} */
	const rounds = [];
	try {
		await model.complete(prompt(model, 300), exactly(2));
		for (let round = 0; round < Number(values.repeat); round++) {
			/** @type {Figures} */
			const figures = {};
			for (const name of values.only.split(',')) {
				const part = Object.entries(parts).find(([key]) => key === name)?.[1];
				if (!part) throw new Error(`no part ${name}; there are ${Object.keys(parts).join(', ')}`);
				Object.assign(figures, await part(model));
			}
			rounds.push(figures);
		}
	} finally {
		await model.dispose();
	}
	return medians(rounds);
}

/** @param {readonly Figures[]} rounds @returns {Figures} */
function medians(rounds) {
	const names = Object.keys(rounds[0] ?? {});
	return Object.fromEntries(names.map(name => [name, median(rounds.map(figures => figures[name] ?? Number.NaN))]));
}

/** @param {string} directory @param {string} tree @returns {Figures} */
function measureTree(directory, tree) {
	const {only, threads, repeat} = values;
	const args = [
		'--model',
		directory,
		'--tree',
		tree,
		'--only',
		only,
		'--threads',
		threads,
		'--repeat',
		repeat,
		'--json',
	];
	return JSON.parse(execFileSync(process.execPath, [path.join(here, 'fairness.mjs'), ...args], {encoding: 'utf8'}));
}

const scratch = mkdtempSync(path.join(tmpdir(), 'exl-fairness-'));
try {
	const directory = values.model ?? path.join(scratch, 'model');
	if (!values.model) await writeRandomModel(directory, {shape: '130m', context: 4608});
	if (values.against) {
		/** @type {{ours: Figures, theirs: Figures}[]} */
		const pairs = [];
		for (let pair = 0; pair < Number(values.pairs); pair++) {
			const trees = {ours: path.join(here, '..'), theirs: path.resolve(values.against)};
			const order = /** @type {('ours' | 'theirs')[]} */ (pair % 2 ? ['theirs', 'ours'] : ['ours', 'theirs']);
			const both = Object.fromEntries(order.map(whose => [whose, measureTree(directory, trees[whose])]));
			pairs.push(/** @type {{ours: Figures, theirs: Figures}} */ (both));
		}
		const [ours, theirs] = [medians(pairs.map(pair => pair.ours)), medians(pairs.map(pair => pair.theirs))];
		const results = Object.entries(ours).map(([what, value]) => ({
			what,
			ours: value,
			theirs: theirs[what] ?? Number.NaN,
			ratio: median(pairs.map(pair => (pair.ours[what] ?? Number.NaN) / (pair.theirs[what] ?? Number.NaN))),
		}));
		if (values.json) console.log(JSON.stringify(results));
		else {
			const rows = results.map(({what, ours, theirs, ratio}) => [
				what,
				...[ours, theirs, ratio].map(n => n.toFixed(2)),
			]);
			console.log(table([['', 'this tree', 'the other', 'ratio'], ...rows]));
		}
	} else {
		const figures = await measure(directory);
		if (values.json) console.log(JSON.stringify(figures));
		else console.log(table(Object.entries(figures).map(([what, value]) => [what, value.toFixed(2)])));
	}
} finally {
	rmSync(scratch, {recursive: true});
}
