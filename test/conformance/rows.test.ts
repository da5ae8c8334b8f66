import {
	add,
	embed,
	gatherRows,
	layerNorm,
	rmsNorm,
	rope,
	ropeAngles,
	siluMul,
	tokenLogProb,
} from '../../lib/ops/index.js';
import {conformance} from './harness.js';
import {floatWeight, normal, range, ulp32} from './inputs.js';

const types = ['F32', 'F16', 'BF16'] as const;
const columns = [1, 8, 31, 64, 172, 1000];

conformance(
	'rms_norm',
	Object.fromEntries(
		columns.flatMap((size, i) => [
			[
				`rows of ${size}`,
				() => ({
					tensors: {x: normal([3, size], 1)},
					weights: {w: floatWeight(normal([size], 2), types[i % 3]!).source},
					record: ({tensor, weight}) => rmsNorm(tensor('x'), weight('w'), {eps: 1e-6, offset: i % 2}),
					// The sum of squares is the only long sum; its root halves its error.
					tolerance: (_, y) => (size / 32 + 10) * ulp32 * Math.abs(y) + 4 * ulp32 * Math.abs(y) + 1e-7 * (i % 2),
				}),
			],
			[
				`heads of ${size}, a weight each`,
				() => ({
					tensors: {x: normal([4, 3, size], 3)},
					weights: {w: floatWeight(normal([3, size], 4), types[i % 3]!).source},
					record: ({tensor, weight}) => rmsNorm(tensor('x'), weight('w'), {eps: 1e-5}),
					tolerance: (_, y) => (size / 32 + 14) * ulp32 * Math.abs(y) + 1e-30,
				}),
			],
		]),
	),
);

/** Numbers around 10: a variance taken as a mean of squares less a square of the mean would lose digits. */
const offCentre = (shape: number[], seed: number) => {
	const {values, ...rest} = normal(shape, seed);
	return {...rest, values: values.map(value => Math.fround(value + 10))};
};

conformance(
	'layer_norm',
	Object.fromEntries(
		columns.map((size, i) => [
			`rows of ${size}${i % 2 ? ', a bias' : ''}`,
			() => ({
				tensors: {x: offCentre([3, size], 1)},
				weights: {
					w: floatWeight(normal([size], 2), types[i % 3]!).source,
					b: floatWeight(normal([size], 3), types[(i + 1) % 3]!).source,
				},
				record: ({tensor, weight}) =>
					layerNorm(tensor('x'), {weight: weight('w'), ...(i % 2 && {bias: weight('b')})}, {eps: 1e-5}),
				// What is lost of a mean near 10 is lost to every element, over a deviation of at least a third, times up to 3.
				tolerance: (_, y) => (size / 32 + 12) * ulp32 * (Math.abs(y) + 90) + 4 * ulp32,
			}),
		]),
	),
);

conformance(
	'add',
	Object.fromEntries(
		[1, 15, 16, 40_003].map(size => [
			`${size} elements`,
			() => ({
				tensors: {a: normal([1, size], 1), b: normal([1, size], 2)},
				record: ({tensor}) => add(tensor('a'), tensor('b')),
				tolerance: (_, y) => ulp32 * Math.abs(y) + 1e-30,
			}),
		]),
	),
);

conformance(
	'silu_mul',
	Object.fromEntries(
		[1, 17, 9_001].map(size => [
			`${size} elements, up to large arguments`,
			() => ({
				tensors: {gate: normal([1, size], 1, {scale: 20}), up: normal([1, size], 2)},
				record: ({tensor}) => siluMul(tensor('gate'), tensor('up')),
				// exp is good to 2e-7 for arguments up to 88, where silu is below 1e-36; two more roundings.
				tolerance: (_, y) => 16 * ulp32 * Math.abs(y) + 1e-35,
			}),
		]),
	),
);

conformance('rope_angles', {
	'positions up to a million': () => ({
		rows: 4,
		weights: {f: floatWeight({shape: [3], values: Float64Array.of(1, 0.01, 1e-4)}, 'F32').source},
		slots: {positions: Int32Array.of(0, 1, 4095, 1_000_000)},
		record: ({recorder, weight}) => ropeAngles(recorder, weight('f'), 1.25),
		tolerance: () => 2 * ulp32,
	}),
});

conformance(
	'rope',
	Object.fromEntries(
		[
			{dim: 8, pairs: 4},
			{dim: 24, pairs: 12},
			{dim: 80, pairs: 16},
			{dim: 128, pairs: 64},
		].flatMap(({dim, pairs}) =>
			[false, true].map(interleaved => [
				`heads of ${dim}, ${pairs} pairs${interleaved ? ', interleaved' : ''}`,
				() => {
					const x = normal([5, 3, dim], 1);
					return {
						tensors: {x, angles: normal([5, pairs, 2], 2)},
						record: ({tensor}) => rope(tensor('x'), tensor('angles'), {interleaved}),
						tolerance: () => 64 * ulp32,
					};
				},
			]),
		),
	),
);

conformance(
	'embed',
	Object.fromEntries(
		types.map(dtype => [
			dtype,
			() => ({
				rows: 5,
				weights: {table: floatWeight(normal([11, 19], 1), dtype).source},
				slots: {tokens: Int32Array.of(0, 10, 3, 3, 7), positions: range(5)},
				record: ({recorder, weight}) => embed(recorder, weight('table')),
				tolerance: () => Number.MIN_VALUE,
			}),
		]),
	),
);

conformance('gather_rows', {
	'some rows, in any order': () => ({
		rows: 6,
		outputs: 4,
		tensors: {x: normal([6, 21], 1)},
		slots: {positions: range(6), outputs: Int32Array.of(5, 0, 0, 3)},
		record: ({tensor}) => gatherRows(tensor('x')),
		tolerance: () => Number.MIN_VALUE,
	}),
});

conformance('token_log_prob', {
	'padded columns do not count': () => ({
		rows: 3,
		outputs: 3,
		tensors: {logits: normal([3, 1032], 1, {scale: 8})},
		slots: {positions: range(3), outputs: range(3), targets: Int32Array.of(0, 999, 500)},
		record: ({tensor}) => tokenLogProb(tensor('logits'), 1000),
		// Differences of logits, their exponentials and one logarithm, each rounded once.
		tolerance: (_, y) => 4 * ulp32 * (Math.abs(y) + 64),
	}),
});
