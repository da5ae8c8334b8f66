// @ts-check

// The generator over a model that answers at once: what is left is the cost of JavaScript itself.

import {fileURLToPath} from 'node:url';
import {median} from './table.mjs';

const dist = new URL('../dist/', import.meta.url);

/** Microseconds of processor time per step, the median of some rounds. @param {number} jobs */
export async function stepOverhead(jobs) {
	const {Answer, Generation, Scheduler} = await import(new URL('generator/index.js', dist).href);
	const {PageTable} = await import(new URL('cache/index.js', dist).href);
	const {DetokenizerStream, Tokenizer} = await import(new URL('tokenizer/index.js', dist).href);
	const tokenizer = await Tokenizer.load(fileURLToPath(new URL('../models/tinystories-656k', import.meta.url)));

	const engine = {
		maxRows: 256,
		maxOutputs: jobs,
		maxSequences: jobs,
		pagesPerSequence: 32,
		/** @param {{outputs: Int32Array, positions: Int32Array}} step */
		async run({outputs, positions}) {
			const ids = Int32Array.from(outputs, (row, i) => 5 + (((positions[row] ?? 0) * 31 + i * 17) % 1900));
			// A step takes a turn of the event loop, in which readers read.
			await new Promise(resolve => setImmediate(resolve));
			return {ids};
		},
		async copyPages() {},
		async rewind() {},
		draw: () => 5,
	};
	const scheduler = new Scheduler(engine, new PageTable(jobs * 32));
	const length = 2000;

	/** @param {number} i */
	const start = i =>
		new Generation((/** @type {any} */ _, /** @type {any} */ emit) => {
			const prompt = [1, 2, 3, i];
			const options = {
				...{maxTokens: length, stopIds: new Set([0]), stopStrings: [], bannedStrings: []},
				...{detailed: false, logits: false},
			};
			const answer = new Answer(options, new DetokenizerStream(tokenizer, {context: prompt}));
			const sampler = {id: i, release() {}};
			const flags = {priority: 0, seed: 1, observes: false, pipelines: true};
			return scheduler.start({prompts: [prompt], sampler, answer, maxTokens: length, emit, ...flags}).result;
		});

	const costs = [];
	for (let round = 0; round < 6; round++) {
		const steps = scheduler.steps;
		const before = process.cpuUsage();
		await Promise.all(
			Array.from({length: jobs}, async (_, i) => {
				for await (const _ of start(i));
			}),
		);
		const {user, system} = process.cpuUsage(before);
		// The first two are a warm-up.
		if (round > 1) costs.push((user + system) / (scheduler.steps - steps));
	}
	return median(costs);
}
