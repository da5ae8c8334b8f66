// @ts-check

// Attention over a long cache by cache type: time per step and memory, beside fp16 in the same run.
//
//   npm run build && node bench/attention.mjs [--tokens 2048,8192] [--rows 1] [--heads 32] [--key-heads 8] [--dim 128]
//     [--repeat 9] [--json]
//
// A step is one program of as many attention ops as layers, all over one cache, so that compiling and crossing into
// native code do not count. Types take turns, so that a busy machine slows all of them.

import {createRequire} from 'node:module';
import {parseArgs} from 'node:util';
import {KvCache, memory, Tensor} from 'node-exllama';
import {median, table} from './table.mjs';

const require = createRequire(import.meta.url);
/** @type {typeof import('../lib/eager/run.js')} */
const {runOnce} = require('../dist/eager/run.js');
/** @type {typeof import('../lib/ops/index.js')} */
const {attention} = require('../dist/ops/index.js');
/** @type {typeof import('../lib/memory/index.js')} */
const {Device} = require('../dist/memory/index.js');

const types = /** @type {const} */ (['fp16', 'fp8', 'q8', 'q6', 'q4']);
const layers = 16;

const {values} = parseArgs({
	options: {
		tokens: {type: 'string', default: '2048,8192'},
		rows: {type: 'string', default: '1'},
		heads: {type: 'string', default: '32'},
		'key-heads': {type: 'string', default: '8'},
		dim: {type: 'string', default: '128'},
		repeat: {type: 'string', default: '9'},
		json: {type: 'boolean'},
	},
});
const [rows, repeat] = [Number(values.rows), Number(values.repeat)];
const [heads, keyHeads, dim] = [Number(values.heads), Number(values['key-heads']), Number(values.dim)];

const results = [];
for (const tokens of values.tokens.split(',').map(Number)) results.push(...(await measure(tokens)));

if (values.json) console.log(JSON.stringify(results));
else {
	const lines = results.map(({tokens, type, bytesPerToken, ms, speed}) => [
		`${tokens} ${type}`,
		bytesPerToken.toFixed(0),
		ms.toFixed(3),
		speed.toFixed(2),
	]);
	console.log(`${rows} rows, ${heads} heads of ${dim}, ${keyHeads} for keys and values`);
	console.log(table([['tokens type', 'bytes/token', 'ms', 'speed to fp16'], ...lines]));
}

/** @param {number} tokens */
async function measure(tokens) {
	const held = types.map(type => ({type, ...fresh(type, tokens), times: /** @type {number[]} */ ([])}));
	const piece = 512;
	for (let at = 0; at < tokens; at += piece) {
		const [k, v] = [1, 2].map(seed => noise([Math.min(piece, tokens - at), keyHeads, dim], seed + at));
		for (const {cache} of held) await cache.append(/** @type {Tensor} */ (k), /** @type {Tensor} */ (v));
		k?.dispose();
		v?.dispose();
	}

	const q = noise([rows, heads, dim], 7);
	for (let run = 0; run <= repeat; run++)
		for (const {cache, times} of held) {
			const device = Device.acquire('cpu');
			/** @param {number} count */
			const time = async count => {
				const started = performance.now();
				const result = await runOnce({
					device,
					cache: cache.operand,
					rows,
					slots: cache.slots(rows, tokens - rows),
					record: recorder => {
						let value = attention(q.operand(recorder), cache.layer, {scale: dim ** -0.5});
						for (let i = 1; i < count; i++) value = attention(value, cache.layer, {scale: dim ** -0.5});
						return value;
					},
				});
				result?.dispose();
				return performance.now() - started;
			};
			const once = await time(1);
			const all = await time(layers + 1);
			// The first run is a warm-up.
			if (run > 0) times.push((all - once) / layers);
			await device.release();
		}
	q.dispose();
	for (const {cache} of held) cache.dispose();

	const fp16 = median(held[0]?.times ?? []);
	return held.map(({type, bytesPerToken, times}) => {
		const ms = median(times);
		return {tokens, type, bytesPerToken, ms, speed: fp16 / ms};
	});
}

/** @param {(typeof types)[number]} type @param {number} tokens */
function fresh(type, tokens) {
	const bytes = () => memory.snapshot().devices['cpu']?.byKind.cache ?? 0;
	const before = bytes();
	const cache = new KvCache({tokens, keyHeads, headDim: dim, type});
	return {cache, bytesPerToken: (bytes() - before) / cache.capacity};
}

/** Sums of uniform numbers, nearly normal. @param {number[]} shape @param {number} seed */
function noise(shape, seed) {
	let state = seed * 2654435761;
	const next = () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 32 - 0.5;
	};
	const count = shape.reduce((a, b) => a * b, 1);
	return Tensor.from(
		Float64Array.from({length: count}, () => 2 * (next() + next() + next())),
		shape,
	);
}
