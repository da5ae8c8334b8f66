// @ts-check

// Two built checkouts beside each other: what a change costs or gains. Bar: the 95 % interval of the ratio does not lie
// above 1.02.
//
//   node bench/trees.mjs OLD NEW [--pairs 20] [--threads N] [--shape 130m] [--json]
//
// A pair is each measurement in both, one after the other, in turns of order, in two processes that stay. Prompts differ
// in every run, and the run ends if any of one was in the cache. Told are the medians of the ratios of times, new to old, and
// the interval that holds the median of their distribution with 95 %, by the ranks of the ratios.

import {execFileSync, fork} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {parseArgs} from 'node:util';
import {median, table} from './table.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const tiny = path.join(here, '../models/tinystories-656k-exl2');

/** @typedef {Record<'load' | 'prefill' | 'decode' | 'step', number>} Times */

if (process.send) await serve();
else await main();

async function main() {
	const {values, positionals} = parseArgs({
		allowPositionals: true,
		options: {
			pairs: {type: 'string', default: '20'},
			threads: {type: 'string', default: '2'},
			shape: {type: 'string', default: '130m'},
			json: {type: 'boolean'},
		},
	});
	if (positionals.length !== 2) throw new Error('node bench/trees.mjs OLD NEW; see the head of this file');
	const home = mkdtempSync(path.join(tmpdir(), 'node-exllama-trees-'));
	const model = path.join(home, 'model');
	try {
		execFileSync(process.execPath, [path.join(here, 'random-model.mjs'), model, '--shape', values.shape]);
		const children = positionals.map(tree =>
			fork(fileURLToPath(import.meta.url), [path.resolve(tree), model, values.threads]),
		);
		const ended = children.map(child => once(child, 'exit'));
		/** @param {number} which @param {number} round @returns {Promise<Times>} */
		const measure = async (which, round) => {
			const child = /** @type {import('node:child_process').ChildProcess} */ (children[which]);
			child.send(round);
			const [answer] = await Promise.race([
				once(child, 'message'),
				/** @type {Promise<unknown[]>} */ (ended[which]).then(() => {
					throw new Error(`${positionals[which]} ended`);
				}),
			]);
			return answer;
		};
		for (const which of [0, 1]) await measure(which, 0);
		/** @type {Map<string, {ratios: number[], old: number[], new: number[]}>} */
		const found = new Map();
		/** @param {string} name */
		const of = name => {
			const list = found.get(name) ?? {ratios: [], old: [], new: []};
			found.set(name, list);
			return list;
		};
		for (let round = 1; round <= Number(values.pairs); round++) {
			/** @type {Times[]} */
			const pair = [];
			for (const which of round % 2 ? [0, 1] : [1, 0]) pair[which] = await measure(which, round);
			for (const [name, old] of Object.entries(/** @type {Times} */ (pair[0]))) {
				const other = /** @type {Record<string, number>} */ (pair[1])[name] ?? Number.NaN;
				const list = of(name);
				list.ratios.push(other / old);
				list.old.push(old);
				list.new.push(other);
			}
		}
		for (const child of children) child.disconnect();
		const results = [...found].map(([name, list]) => ({
			name,
			old: median(list.old),
			new: median(list.new),
			ratio: median(list.ratios),
			...interval(list.ratios),
		}));
		if (values.json) console.log(JSON.stringify({pairs: Number(values.pairs), results}));
		else {
			const rows = results.map(({name, old, new: now, ratio, low, high}) => [
				name,
				old.toFixed(2),
				now.toFixed(2),
				ratio.toFixed(3),
				`${low.toFixed(3)} to ${high.toFixed(3)}`,
			]);
			console.log(table([['', 'old ms', 'new ms', 'new / old', '95 %'], ...rows]));
		}
	} finally {
		rmSync(home, {recursive: true, force: true});
	}
}

/** Ranks between which the median lies with 95 %: those of a binomial distribution. @param {number[]} list */
function interval(list) {
	const sorted = [...list].sort((a, b) => a - b);
	const n = sorted.length;
	let below = 0;
	let rank = 0;
	for (let probability = 0.5 ** n; rank < n / 2; rank++) {
		if (below + probability > 0.025) break;
		below += probability;
		probability *= (n - rank) / (rank + 1);
	}
	const at = (/** @type {number} */ i) => sorted[Math.min(Math.max(i, 0), n - 1)] ?? Number.NaN;
	return {low: at(rank - 1), high: at(n - rank)};
}

async function serve() {
	const [, , tree, directory, threads] = process.argv;
	const {loadModel} = await import(pathToFileURL(path.join(String(tree), 'dist/index.js')).href);
	const options = {device: 'cpu', threads: Number(threads), cache: {tokens: 2048}};
	const small = await loadModel(tiny, options);
	process.on('message', async round => {
		const start = performance.now();
		const model = await loadModel(directory, options);
		const load = performance.now() - start;
		const vocabulary = 2000;
		/** Another first token in every run, so that nothing of a prompt is in the cache. @param {number} length */
		const prompt = length => Array.from({length}, (_, i) => 3 + ((Number(round) * 131 + i * 17 + length) % vocabulary));
		/** @param {any} on @param {number} length @param {number} tokens */
		const run = async (on, length, tokens) => {
			const began = performance.now();
			const limits = {temperature: 0, minTokens: tokens, maxTokens: tokens};
			const {cachedTokens, tokenIds} = await on.complete(prompt(length), limits);
			if (cachedTokens > 0 || tokenIds.length !== tokens)
				throw new Error('a prompt was in the cache, or a text was short');
			return performance.now() - began;
		};
		const prefill = await run(model, 384, 1);
		const decode = (await run(model, 8, 65)) / 65;
		await model.dispose();
		const step = (await runSmall(small, Number(round))) / 200;
		process.send?.({load, prefill, decode, step});
	});
	process.on('disconnect', () => small.dispose());
}

/** Milliseconds for 200 tokens of a model that computes next to nothing. @param {any} model @param {number} round */
async function runSmall(model, round) {
	const start = performance.now();
	const ids = [3 + (round % 400), 5, 7];
	const {tokenIds} = await model.complete(ids, {temperature: 0, minTokens: 200, maxTokens: 200});
	if (tokenIds.length !== 200) throw new Error('a text was short');
	return performance.now() - start;
}
