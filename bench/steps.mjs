// @ts-check

// Steps of a model below the public API: any number of sequences, at any position, without a generator around them.

import {createRequire} from 'node:module';

const pageTokens = 256;

const require = createRequire(import.meta.url);
const room = (/** @type {string} */ name) => require(`../dist/${name}/index.js`);
const {findArchitecture, WeightScope} = room('models');
const {Device, Handle} = room('memory');
const {CacheLayer, Program, Recorder, WeightStore, weightsOf} = room('program');
const {openWeights, readModelConfig} = room('weights');
const {sample} = room('ops');
const {addon} = room('native');

/** @typedef {import('../lib/native/index.js').Slots} Slots */
/**
@typedef {{
	sequences: number,
	longest: number,
	maxRows: number,
	device?: string,
	threads?: number,
	cacheType?: string,
}} StepOptions `longest`: tokens of a sequence at most.
*/

const range = (/** @type {number} */ count) => Int32Array.from({length: count}, (_, i) => i);

/** @param {string} directory @param {StepOptions} options */
export async function openSteps(directory, options) {
	const {sequences, longest, maxRows, device: id = 'cpu', threads = 1, cacheType = 'fp16'} = options;
	const {config, gptq} = await readModelConfig(directory);
	const {shape, forward} = findArchitecture(config).architecture.configure(config);
	const scope = new WeightScope(await openWeights(directory), gptq);
	const pages = Math.ceil(longest / pageTokens);

	const device = Device.acquire(id);
	const started = performance.now();
	const weights = new WeightStore(device, 'steps');
	const {layers, keyHeads, headDim: dim} = shape;
	const size = {layers, keyHeads, dim, pages: sequences * pages, type: cacheType};
	const cache = new Handle(addon().createCache(device.id, size, 'steps'), 'cache');
	const greedy = {temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 1};
	const samplers = Array.from({length: sequences}, () => new Handle(addon().createSampler(greedy), 'sampler'));
	const pageTable = range(sequences * pages);

	const recorder = new Recorder({sequences, pagesPerSequence: pages});
	const layer = (/** @type {number} */ index) => new CacheLayer(index, [keyHeads, dim]);
	const result = sample(forward({recorder, cache: layer}, scope), shape.vocabulary);
	await weights.load(weightsOf(recorder));
	const limits = {maxRows, maxOutputs: sequences, maxSequences: sequences, pagesPerSequence: pages, threads};
	const place = {device, weights, cache: cache.id, owner: 'steps'};
	const program = await Program.compile(recorder, [result], place, limits);

	const tokens = (/** @type {number} */ count) => range(count).map(i => (i * 7919 + 1) % shape.vocabulary);
	return {
		shape,
		/** Milliseconds until the first step can run. */
		loadMs: performance.now() - started,
		/** Bytes of keys and values that a token takes. */
		cacheTokenBytes: layers * addon().cacheTokenBytes({keyHeads, dim, type: cacheType}),

		/** A token of each of `count` sequences. @param {number} count @param {number} position @returns {Slots} */
		decode: (count, position) => ({
			tokens: tokens(count),
			positions: new Int32Array(count).fill(position),
			sequences: range(count),
			pages: pageTable,
			outputs: range(count),
			samplers: Int32Array.from(samplers.slice(0, count), sampler => sampler.id),
		}),

		/** The first `count` tokens of one sequence. @param {number} count @returns {Slots} */
		prefill: count => ({
			tokens: tokens(count),
			positions: range(count),
			sequences: new Int32Array(count),
			pages: pageTable,
			outputs: Int32Array.of(count - 1),
			samplers: Int32Array.of(samplers[0]?.id ?? 0),
		}),

		/** Milliseconds it takes. @param {Slots} slots */
		async run(slots) {
			const from = performance.now();
			await program.step(slots);
			return performance.now() - from;
		},

		async close() {
			for (const handle of [program, ...samplers, cache, weights]) handle.release();
			await device.release();
		},
	};
}

/** The instruction set of the processor backend. @returns {string} */
export const cpuTarget = () => addon().cpuTarget();
