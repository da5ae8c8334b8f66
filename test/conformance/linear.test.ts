import {describe, expect, test} from 'vitest';
import {Device} from '../../lib/memory/index.js';
import type {FloatType, WeightSource} from '../../lib/native/index.js';
import {linear} from '../../lib/ops/index.js';
import {cpuTargets} from '../support/cpu-targets.js';
import {withEnvironment} from '../support/environment.js';
import {type Packed, packExl2, packGptq} from '../support/quantize.js';
import {type Case, compute, conformance} from './harness.js';
import {floatWeight, normal, quantSource, ulp16, ulp32} from './inputs.js';

/** Sums of absolute products, which bound every rounding of a dot product: `[rows, out]`. */
function magnitudes(x: Float64Array, w: (k: number, n: number) => number, rows: number, inputs: number, out: number) {
	const sums = new Float64Array(rows * out);
	for (let r = 0; r < rows; r++)
		for (let k = 0; k < inputs; k++)
			for (let n = 0; n < out; n++) sums[r * out + n]! += Math.abs(x[r * inputs + k]! * w(k, n));
	return sums;
}

function floatCase(rows: number, inputs: number, out: number, dtype: FloatType, bias: boolean): Case {
	const x = normal([rows, inputs], 1);
	const {source, values} = floatWeight(normal([out, inputs], 2), dtype);
	const sums = magnitudes(x.values, (k, n) => values[n * inputs + k]!, rows, inputs, out);
	return {
		tensors: {x},
		weights: {w: source, ...(bias && {b: floatWeight(normal([out], 3), dtype).source})},
		record: ({tensor, weight}) => linear(tensor('x'), {weight: weight('w'), bias: bias ? weight('b') : undefined}),
		// A sum runs in 16 lanes: inputs / 16 additions each, four across the lanes, one for the bias.
		tolerance: (i, y) => (inputs / 16 + 8) * ulp32 * (sums[i]! + Math.abs(y)) + 1e-30,
	};
}

const floatCases = Object.fromEntries(
	(['F32', 'F16', 'BF16'] as const).flatMap(dtype =>
		[
			[1, 1, 1],
			[1, 16, 4],
			[3, 31, 17],
			[2, 172, 64],
			[5, 64, 33],
			[17, 515, 40],
		].map(([rows, inputs, out], i) => {
			const name = `${dtype}, ${rows} rows of ${inputs} to ${out}`;
			return [name, () => floatCase(rows!, inputs!, out!, dtype, i % 2 === 1)];
		}),
	),
);

conformance('linear, plain weights', floatCases);

function quantCase(packed: Packed, source: WeightSource, rows: number): Case {
	const {inFeatures: inputs, outFeatures: out, dequantised: w} = packed;
	const x = normal([rows, inputs], 7);
	/** A bound on the largest activation of any span. */
	const most = Array.from({length: rows}, (_, r) =>
		x.values.subarray(r * inputs, (r + 1) * inputs).reduce((max, v) => Math.max(max, Math.abs(v)), 0),
	);
	// Independent roundings of every product: the weight to a half (skipped on the CPU), the activation to a step.
	const variance = new Float64Array(rows * out);
	for (let r = 0; r < rows; r++)
		for (let k = 0; k < inputs; k++)
			for (let n = 0; n < out; n++) {
				const weight = w[k * out + n]!;
				const ofWeight = (x.values[r * inputs + k]! * weight * ulp16) ** 2 / 3;
				const ofActivation = (weight * (most[r]! / 32512)) ** 2 / 12;
				variance[r * out + n]! += ofWeight + ofActivation;
			}
	const sums = magnitudes(x.values, (k, n) => w[k * out + n]!, rows, inputs, out);
	return {
		tensors: {x},
		weights: {w: source},
		record: ({tensor, weight}) => linear(tensor('x'), {weight: weight('w')}),
		tolerance: i => 6 * Math.sqrt(variance[i]!) + (inputs / 32 + 4) * ulp32 * sums[i]! + 1e-30,
	};
}

const exl2 = {
	'2 bits': packExl2({outFeatures: 32, groups: [{bits: 2, rows: 64}]}),
	'3 bits': packExl2({outFeatures: 40, groups: [{bits: 3, rows: 96}]}),
	'4 bits': packExl2({outFeatures: 32, groups: [{bits: 4, rows: 128}]}),
	'5 bits': packExl2({outFeatures: 24, groups: [{bits: 5, rows: 64}]}),
	'6 bits': packExl2({outFeatures: 64, groups: [{bits: 6, rows: 64}]}),
	'8 bits': packExl2({outFeatures: 32, groups: [{bits: 8, rows: 64}]}),
	'all bits, mixed groups': packExl2({
		outFeatures: 72,
		groups: [8, 6, 5, 4, 4, 3, 2].map((bits, i) => ({bits, rows: i % 2 ? 64 : 32})),
	}),
	'not permuted': packExl2({
		outFeatures: 32,
		permute: false,
		groups: [
			{bits: 4, rows: 32},
			{bits: 3, rows: 32},
		],
	}),
	'a long matrix': packExl2({
		outFeatures: 16,
		groups: Array.from({length: 20}, (_, i) => ({bits: i < 6 ? 5 : 4, rows: 128})),
	}),
	'groups of 8 and 16 rows': packExl2({
		outFeatures: 32,
		groups: [
			{bits: 6, rows: 16},
			{bits: 4, rows: 8},
			{bits: 4, rows: 8},
			{bits: 2, rows: 16},
		],
	}),
};

const gptq = {
	'groups of 128': packGptq({inFeatures: 256, outFeatures: 48, groupSize: 128}),
	'groups of 64, act-order': packGptq({inFeatures: 192, outFeatures: 32, groupSize: 64, actOrder: true}),
	'one scale per column': packGptq({inFeatures: 96, outFeatures: 40, groupSize: -1}),
	'a short last group': packGptq({inFeatures: 88, outFeatures: 32, groupSize: 32, groupIndex: true}),
	'groups of 12': packGptq({inFeatures: 48, outFeatures: 16, groupSize: 12, groupIndex: true}),
	'fp32 scales': packGptq({inFeatures: 64, outFeatures: 24, groupSize: 32, scaleType: 'F32'}),
	'bf16 scales': packGptq({inFeatures: 64, outFeatures: 24, groupSize: 32, scaleType: 'BF16'}),
};

const v2 = packGptq({inFeatures: 64, outFeatures: 24, groupSize: 32, version: 2});

const sources = new Map<Packed, WeightSource>();
for (const packed of [...Object.values(exl2), ...Object.values(gptq)]) sources.set(packed, await quantSource(packed));
sources.set(v2, await quantSource(v2, 2));

// Rows around the blocks the kernels compute together, 1, 2, 4 and 8: all of them for every width.
const quantCases = Object.fromEntries(
	Object.entries({...exl2, ...gptq, 'version 2': v2}).flatMap(([name, packed]) => {
		const counts = name.endsWith('bits') ? [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17] : [1, 2, 7, 13];
		return counts.map(rows => [`${name}, ${rows} rows`, () => quantCase(packed, sources.get(packed)!, rows)]);
	}),
);

conformance('linear, quantised weights', quantCases);

describe('a row of a quantised product', () => {
	test.each(cpuTargets)('is the same alone and among others on %s', async target => {
		const packed = exl2['all bits, mixed groups'];
		const {inFeatures, outFeatures: out} = packed;
		const x = normal([23, inFeatures], 9);
		const multiply = (first: number, end: number) => {
			const values = x.values.subarray(first * inFeatures, end * inFeatures);
			const tensors = {x: {shape: [end - first, inFeatures], values}};
			return compute({...quantCase(packed, sources.get(packed)!, 1), tensors}, 'cpu');
		};
		const device = withEnvironment({EXL_CPU_TARGET: target}, () => Device.acquire('cpu'));
		try {
			const all = await multiply(0, 23);
			for (const [first, end] of [
				[0, 1],
				[5, 6],
				[17, 19],
				[22, 23],
				[3, 16],
			] as const) {
				expect(await multiply(first, end), `rows ${first} to ${end - 1}`).toEqual(all.slice(first * out, end * out));
			}
		} finally {
			await device.release();
		}
	});
});

/** Every dequantised weight, bit for bit: the identity times the matrix, on the oracle. */
conformance(
	'dequantisation is exact on the reference',
	Object.fromEntries(
		[...sources].map(([packed, source], i) => [
			`matrix ${i}`,
			() => {
				const {inFeatures: size, outFeatures: out, dequantised} = packed;
				const identity = Float64Array.from({length: size * size}, (_, k) => Number(k % (size + 1) === 0));
				return {
					tensors: {x: {shape: [size, size], values: identity}},
					weights: {w: source},
					record: ({tensor, weight}) => linear(tensor('x'), {weight: weight('w')}),
					tolerance: (at: number, expected: number) => {
						expect(expected, `weight ${Math.floor(at / out)}, ${at % out}`).toBe(dequantised[at]! + 0);
						return Math.abs(expected) * (ulp16 + 4 * ulp32) + 1e-30;
					},
				} satisfies Case;
			},
		]),
	),
);
