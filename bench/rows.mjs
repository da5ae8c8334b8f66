// @ts-check

// What a step costs by its number of rows: one token each of as many sequences (continuous batching), or as many tokens
// of one prompt. Steps of every size take turns, so that whatever else the machine does falls on all of them alike.
// Bar: 16 sequences at most 4 times one, which is 4 times the throughput.
//
//   node bench/rows.mjs MODEL [--rows 1,2,4,8,16,32,64,256] [--position 128] [--repeat 7] [--threads N] [--json]
//
// MODEL is a directory; `node bench/random-model.mjs DIR --shape 1b` writes one. Sequences are `position` tokens long and
// more than 64 of them are not tried. EXL_CPU_TARGET picks the instruction set.

import {createRequire} from 'node:module';
import {availableParallelism} from 'node:os';
import {parseArgs} from 'node:util';
import {median, table} from './table.mjs';

const mostSequences = 64;
const pageTokens = 256;

const {values, positionals} = parseArgs({
	allowPositionals: true,
	options: {
		rows: {type: 'string', default: '1,2,4,8,16,32,64,256'},
		position: {type: 'string', default: '128'},
		repeat: {type: 'string', default: '7'},
		threads: {type: 'string'},
		json: {type: 'boolean'},
	},
});
const [directory] = positionals;
if (directory === undefined) throw new Error('node bench/rows.mjs MODEL; see the head of this file');
const rows = values.rows.split(',').map(Number);
const position = Number(values.position);
const repeat = Number(values.repeat);
const threads = Number(values.threads ?? availableParallelism());

// A step of many sequences is below the public API.
const require = createRequire(import.meta.url);
const room = (/** @type {string} */ name) => require(`../dist/${name}/index.js`);
const {findArchitecture, WeightScope} = room('models');
const {Device, Handle} = room('memory');
const {CacheLayer, Program, Recorder, WeightStore, weightsOf} = room('program');
const {openWeights, readModelConfig} = room('weights');
const {sample} = room('ops');
const {addon} = room('native');

const {config, gptq} = await readModelConfig(directory);
const {shape, forward} = findArchitecture(config).architecture.configure(config);
const scope = new WeightScope(await openWeights(directory), gptq);
const sequences = Math.max(...rows.filter(count => count <= mostSequences));
const longest = Math.max(position + 1, ...rows);
const pages = Math.ceil(longest / pageTokens);

const device = Device.acquire('cpu');
const weights = new WeightStore(device, 'rows');
const size = {layers: shape.layers, keyHeads: shape.keyHeads, dim: shape.headDim, pages: sequences * pages};
const cache = new Handle(addon().createCache(device.id, size, 'rows'), 'cache');
const greedy = {temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 1};
const samplers = Array.from({length: sequences}, () => new Handle(addon().createSampler(greedy), 'sampler'));
const pageTable = Int32Array.from({length: sequences * pages}, (_, i) => i);

const recorder = new Recorder({sequences, pagesPerSequence: pages});
const logits = forward({recorder, cache: layer}, scope);
const result = sample(logits, shape.vocabulary);
await weights.load(weightsOf(recorder));
const limits = {
	maxRows: Math.max(...rows),
	maxOutputs: sequences,
	maxSequences: sequences,
	pagesPerSequence: pages,
	threads,
};
const program = await Program.compile(recorder, [result], {device, weights, cache: cache.id, owner: 'rows'}, limits);

/** @param {number} index */
function layer(index) {
	return new CacheLayer(index, [shape.keyHeads, shape.headDim]);
}

const range = (/** @type {number} */ count) => Int32Array.from({length: count}, (_, i) => i);
const tokens = (/** @type {number} */ count) => range(count).map(i => (i * 7919 + 1) % shape.vocabulary);

/** A token of each of `count` sequences. @param {number} count */
const decode = count => ({
	tokens: tokens(count),
	positions: new Int32Array(count).fill(position),
	sequences: range(count),
	pages: pageTable,
	outputs: range(count),
	samplers: Int32Array.from(samplers.slice(0, count), sampler => sampler.id),
});

/** The first `count` tokens of one sequence. @param {number} count */
const prefill = count => ({
	tokens: tokens(count),
	positions: range(count),
	sequences: new Int32Array(count),
	pages: pageTable,
	outputs: Int32Array.of(count - 1),
	samplers: Int32Array.of(samplers[0].id),
});

const kinds = [
	{name: 'decode', slots: decode, sizes: rows.filter(count => count <= mostSequences)},
	{name: 'prefill', slots: prefill, sizes: rows},
];
const runs = kinds.flatMap(({name, slots, sizes}) =>
	sizes.map(count => ({name, count, slots: slots(count), times: /** @type {number[]} */ ([])})),
);
const one = decode(1);
for (let round = 0; round <= repeat; round++) {
	for (const run of runs) {
		// After a long step the scheduler lets others go first, and the next one would pay for it.
		await program.step(one);
		const started = performance.now();
		await program.step(run.slots);
		// The first round is a warm-up.
		if (round > 0) run.times.push(performance.now() - started);
	}
}
for (const handle of [program, ...samplers, cache, weights]) handle.release();
await device.release();

const results = runs.map(({name, count, times}) => {
	const milliseconds = median(times);
	const one = median(runs.find(run => run.name === name)?.times ?? []);
	return {name, rows: count, milliseconds, least: Math.min(...times), ratio: milliseconds / one};
});
if (values.json) console.log(JSON.stringify({directory, target: addon().cpuTarget(), threads, results}));
else {
	console.log(`${addon().cpuTarget()}, ${threads} threads, sequences of ${position} tokens, medians of ${repeat}`);
	const lines = results.map(({name, rows, milliseconds, least, ratio}) => [
		name,
		String(rows),
		milliseconds.toFixed(1),
		least.toFixed(1),
		ratio.toFixed(2),
		((1000 * rows) / milliseconds).toFixed(1),
	]);
	console.log(table([['step', 'rows', 'ms', 'least ms', 'to one row', 'rows/s'], ...lines]));
}
