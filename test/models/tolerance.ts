/**
What fp32 and fp16 may cost each op on the `cpu` backend, element by element, given the exact inputs. Bounds are derived
from the rounding steps of an op, with u = 2^-24 for one fp32 rounding; none is measured.
*/

import {roundToHalf} from '../../lib/weights/half.js';
import type {Matrix} from '../support/tiny-model.js';

const u = 2 ** -24;
const halfUlp = 2 ** -11;

/** An activation times a quantised weight has this many steps from zero to the largest of those it shares them with. */
const activationSteps = 32_512;

/** Standard deviations that none of a few million independent errors leaves. */
const deviations = 6;

export type Expected = {readonly values: ArrayLike<number>; readonly tolerance: Float64Array};

/** Values are copied, which rounds each once. */
export function copied(values: ArrayLike<number>): Float64Array {
	return Float64Array.from(values, value => u * Math.abs(value));
}

export function added(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
	return Float64Array.from(a, (value, i) => 2 * u * (Math.abs(value) + Math.abs(b[i]!)));
}

/** exp() is good to 2e-7, and an error of g in the exponent is one of g in the result. */
export function silu(gate: ArrayLike<number>, result: ArrayLike<number>): Float64Array {
	return Float64Array.from(result, (y, i) => Math.abs(y) * (2e-7 + (8 + 2 * Math.abs(gate[i]!)) * u) + 1e-30);
}

/** The sum of squares runs in 16 lanes. */
export function normed(result: ArrayLike<number>, columns: number): Float64Array {
	return Float64Array.from(result, y => Math.abs(y) * (columns / 32 + 12) * u);
}

/** Sums run in 16 lanes; what is lost of a mean is lost to every element of its row. */
export function centred(x: Float64Array, weight: Float64Array, bias: Float64Array, eps: number): Float64Array {
	const columns = weight.length;
	const slack = (columns / 32 + 12) * u;
	const mean = (row: Float64Array) => row.reduce((total, value) => total + value, 0) / columns;
	return Float64Array.from(x, (value, i) => {
		const row = x.subarray(i - (i % columns), i - (i % columns) + columns);
		const middle = mean(row);
		const root = Math.sqrt(mean(row.map(v => (v - middle) ** 2)) + eps);
		const lost = slack * (mean(row.map(Math.abs)) + Math.abs(value - middle));
		return (lost / root) * Math.abs(weight[i % columns]!) + 2 * u * Math.abs(bias[i % columns]!);
	});
}

/** Both elements of a pair feed each other. */
export function rotated(x: ArrayLike<number>, dim: number, pairs: number, scale: number): Float64Array {
	return Float64Array.from(x, (own, i) => {
		const c = i % dim;
		if (c >= 2 * pairs) return u * Math.abs(own);
		const other = x[c < pairs ? i + pairs : i - pairs]!;
		return 5 * u * scale * (Math.abs(own) + Math.abs(other));
	});
}

/** Terms of a log-sum-exp are positive; the difference loses what its parts are larger by. */
export function logProb(logits: ArrayLike<number>, outputs: number, vocabulary: number): Float64Array {
	const padded = logits.length / outputs;
	return Float64Array.from({length: outputs}, (_, r) => {
		let most = 0;
		for (let n = 0; n < vocabulary; n++) most = Math.max(most, Math.abs(logits[r * padded + n]!));
		return (8 * most + vocabulary / 16 + 16) * u + 1e-6;
	});
}

/**
A product with `quantised` weights also rounds activations, and leaves out the rounding of each weight to fp16 that the
format's definition has. Both are independent from element to element, so they add up as a random walk.
*/
export function product(
	x: ArrayLike<number>,
	{values, inFeatures, outFeatures}: Matrix,
	quantised: boolean,
	result: ArrayLike<number>,
): Float64Array {
	const tolerance = new Float64Array(result.length);
	const rounding = (inFeatures / (quantised ? 32 : 16) + 10) * u;
	const weightSquares = new Float64Array(outFeatures);
	for (const [i, w] of values.entries()) weightSquares[i % outFeatures]! += w * w;

	const sizes = new Float64Array(outFeatures);
	const squares = new Float64Array(outFeatures);
	for (let r = 0; r * inFeatures < x.length; r++) {
		sizes.fill(0);
		squares.fill(0);
		let largest = 0;
		let inputSquares = 0;
		for (let k = 0; k < inFeatures; k++) {
			const value = Math.abs(x[r * inFeatures + k]!);
			largest = Math.max(largest, value);
			inputSquares += value * value;
			for (let n = 0; n < outFeatures; n++) {
				const term = value * Math.abs(values[k * outFeatures + n]!);
				sizes[n]! += term;
				squares[n]! += term * term;
			}
		}
		const step = largest / activationSteps;
		for (let n = 0; n < outFeatures; n++) {
			const at = r * outFeatures + n;
			tolerance[at] = rounding * sizes[n]! + 2 * u * Math.abs(result[at]!);
			if (!quantised) continue;
			const activations = (step / Math.sqrt(12)) * Math.sqrt(weightSquares[n]!);
			const weights = halfUlp * Math.sqrt(squares[n]! / 3) + 2 ** -25 * Math.sqrt(inputSquares);
			tolerance[at]! += deviations * (activations + weights);
		}
	}
	return tolerance;
}

export type CachedLayer = {readonly keys: Float64Array[]; readonly values: Float64Array[]};

export type AttentionCall = {
	readonly q: ArrayLike<number>;
	/** Of each row. */
	readonly positions: Int32Array;
	readonly heads: number;
	readonly keyHeads: number;
	readonly dim: number;
	readonly scale: number;
	readonly window: number;
};

/**
Attention over a cache that holds halves: the rounding of keys and values is part of what is expected, so that only
fp32 arithmetic is left to tolerate.
*/
export function overHalves(call: AttentionCall, cache: CachedLayer): Expected {
	const {q, positions, heads, keyHeads, dim, scale, window} = call;
	const halves = (rows: Float64Array[]) => rows.map(row => row.map(value => roundToHalf(Math.fround(value))));
	const [keys, values] = [halves(cache.keys), halves(cache.values)];
	const mixed = new Float64Array(q.length);
	const tolerance = new Float64Array(q.length);

	for (const [r, last] of positions.entries()) {
		const first = window > 0 ? Math.max(0, last - window + 1) : 0;
		for (let h = 0; h < heads; h++) {
			const from = (r * heads + h) * dim;
			const keyFrom = Math.floor(h / (heads / keyHeads)) * dim;
			const scores: number[] = [];
			let largest = 0;
			for (let t = first; t <= last; t++) {
				let dot = 0;
				let size = 0;
				for (let c = 0; c < dim; c++) {
					const term = q[from + c]! * keys[t]![keyFrom + c]!;
					dot += term;
					size += Math.abs(term);
				}
				scores.push(dot * scale);
				largest = Math.max(largest, size * scale);
			}
			const most = scores.reduce((a, b) => Math.max(a, b));
			const weights = scores.map(score => Math.exp(score - most));
			const total = weights.reduce((a, b) => a + b);
			// Twice, because the errors of one weight and of the sum may be opposite.
			const error = 2 * (largest * (dim + 8) * u + 4e-7) + (weights.length + 10) * u;
			for (let c = 0; c < dim; c++) {
				let sum = 0;
				let size = 0;
				for (const [t, weight] of weights.entries()) {
					const term = (weight / total) * values[first + t]![keyFrom + c]!;
					sum += term;
					size += Math.abs(term);
				}
				mixed[from + c] = sum;
				tolerance[from + c] = size * error + 1e-30;
			}
		}
	}
	return {values: mixed, tolerance};
}
