/**
Valid EXL2 and GPTQ tensors from random codes, with the exact weights they stand for.

Written from the formats' description and not from the reader, so that each checks the other. Matrices are
`[inFeatures, outFeatures]`, row-major.
*/

import type {FloatType} from '../../lib/native/index.js';
import {bfloatToNumber, halfToNumber, numberToBfloat, numberToHalf, roundToHalf} from '../../lib/weights/half.js';
import {type Random, seededRandom} from './random.js';
import {type Tensor, tensor} from './safetensors.js';

export type Packed = {
	/** By whole name, `key.q_weight`. */
	readonly tensors: Map<string, Tensor>;
	/** The weights in the order of the input features, rounded as the format prescribes. */
	readonly dequantised: Float64Array;
	readonly inFeatures: number;
	readonly outFeatures: number;
};

export type Exl2Group = {readonly bits: number; readonly rows: number};

export type Exl2Parts = {
	readonly key: string;
	/** A multiple of 8. */
	readonly outFeatures: number;
	/** In packed order, widest first. */
	readonly groups: readonly Exl2Group[];
	/** `[inFeatures, outFeatures]` in packed order. */
	readonly codes: Uint8Array;
	/** `[groups, outFeatures]`, 0..15. */
	readonly nibbles: Uint8Array;
	/** Bits of a half per group. */
	readonly maxima: Uint16Array;
	/** Input feature of each packed row. */
	readonly permutation: Int32Array;
};

export type Exl2Options = {
	readonly key?: string;
	readonly outFeatures: number;
	/** Widest first; their rows sum to the input features. */
	readonly groups: readonly Exl2Group[];
	/** Whether rows are stored out of order. @default true */
	readonly permute?: boolean;
	readonly seed?: number;
};

/** A random EXL2 matrix. */
export function packExl2({key = 'linear', outFeatures, groups, permute = true, seed = 1}: Exl2Options): Packed {
	const random = seededRandom(seed);
	const inFeatures = sum(groups.map(({rows}) => rows));
	const widths = groups.flatMap(({bits, rows}) => new Array<number>(rows).fill(bits));
	return encodeExl2({
		key,
		outFeatures,
		groups,
		codes: Uint8Array.from({length: inFeatures * outFeatures}, (_, i) =>
			random.int(2 ** widths[Math.floor(i / outFeatures)]!),
		),
		nibbles: randomNibbles(random, groups.length * outFeatures),
		// The widest scale of a group makes its largest weight about 0.3, whatever its bits.
		maxima: Uint16Array.from(groups, ({bits}) => numberToHalf((0.3 * (0.5 + random.next())) / 2 ** (bits - 1))),
		permutation: permute ? random.permutation(inFeatures) : identity(inFeatures),
	});
}

export function encodeExl2(parts: Exl2Parts): Packed {
	const {key, outFeatures, groups, codes, nibbles, maxima, permutation} = parts;
	const inFeatures = permutation.length;
	const wordRows = sum(groups.map(({bits, rows}) => (bits * rows) / 32));
	const words = new Uint32Array(wordRows * outFeatures);
	const pairs = new Uint16Array(groups.length * 2);
	const dequantised = new Float64Array(inFeatures * outFeatures);

	let row = 0;
	let wordRow = 0;
	for (const [group, {bits, rows}] of groups.entries()) {
		pairs.set([bits, wordRow], group * 2);
		const max = roundToHalf(halfToNumber(maxima[group]!) / 256);

		for (let column = 0; column < outFeatures; column++) {
			const scale = roundToHalf((nibbles[group * outFeatures + column]! + 1) ** 2 * max);
			for (let j = 0; j < rows; j++) {
				const code = codes[(row + j) * outFeatures + column]!;
				putBits(words, wordRow * outFeatures + column, outFeatures, j * bits, bits, code);
				dequantised[permutation[row + j]! * outFeatures + column] = roundToHalf((code - 2 ** (bits - 1)) * scale);
			}
		}
		row += rows;
		wordRow += (bits * rows) / 32;
	}

	const inverse = new Int32Array(inFeatures);
	for (const [packed, feature] of permutation.entries()) inverse[feature] = packed;

	const tensors = new Map([
		[`${key}.q_weight`, tensor('I32', [wordRows, outFeatures], words)],
		[`${key}.q_scale`, tensor('I32', [groups.length, outFeatures / 8], packNibbles(nibbles))],
		[`${key}.q_scale_max`, tensor('F16', [groups.length], maxima)],
		[`${key}.q_groups`, tensor('I16', [groups.length * 2], pairs)],
		[`${key}.q_invperm`, tensor('I32', [inFeatures], inverse)],
	]);
	return {tensors, dequantised, inFeatures, outFeatures};
}

export type GptqParts = {
	readonly key: string;
	/** A multiple of 8. */
	readonly outFeatures: number;
	/** `[inFeatures, outFeatures]`, 0..15. */
	readonly codes: Uint8Array;
	/** Group of each row. */
	readonly groupOfRow: Int32Array;
	/** Stored zero points, `[groups, outFeatures]`, 0..15. */
	readonly zeros: Uint8Array;
	/** `[groups, outFeatures]`, rounded to `scaleType` when they are stored. */
	readonly scales: Float64Array;
	readonly scaleType: FloatType;
	readonly version: 1 | 2;
	/** Whether `g_idx` is written. */
	readonly groupIndex: boolean;
};

export type GptqOptions = {
	readonly key?: string;
	/** A multiple of 8. */
	readonly inFeatures: number;
	readonly outFeatures: number;
	/** Rows that share a scale; -1 for all. The last group may be shorter. */
	readonly groupSize: number;
	/** Whether the rows of a group lie anywhere; writes `g_idx`. @default false */
	readonly actOrder?: boolean;
	/** @default actOrder */
	readonly groupIndex?: boolean;
	/** @default 'F16' */
	readonly scaleType?: FloatType;
	/** @default 1 */
	readonly version?: 1 | 2;
	readonly seed?: number;
};

/** A random GPTQ matrix. */
export function packGptq(options: GptqOptions): Packed {
	const {key = 'linear', inFeatures, outFeatures, groupSize, actOrder = false, groupIndex = actOrder} = options;
	const {scaleType = 'F16', version = 1, seed = 1} = options;
	const random = seededRandom(seed);
	const size = groupSize === -1 ? inFeatures : groupSize;
	const groups = Math.ceil(inFeatures / size);
	const order = actOrder ? random.permutation(inFeatures) : identity(inFeatures);
	return encodeGptq({
		key,
		outFeatures,
		codes: randomNibbles(random, inFeatures * outFeatures),
		groupOfRow: order.map(place => Math.floor(place / size)),
		zeros: randomNibbles(random, groups * outFeatures),
		scales: Float64Array.from({length: groups * outFeatures}, () => 0.04 * (0.1 + random.next())),
		scaleType,
		version,
		groupIndex,
	});
}

export function encodeGptq(parts: GptqParts): Packed {
	const {key, outFeatures, codes, groupOfRow, zeros, scaleType, version, groupIndex} = parts;
	const inFeatures = groupOfRow.length;
	const groups = zeros.length / outFeatures;
	const {stored, values} = roundAll(parts.scales, scaleType);
	const words = new Uint32Array((inFeatures / 8) * outFeatures);
	const dequantised = new Float64Array(inFeatures * outFeatures);

	for (let row = 0; row < inFeatures; row++) {
		for (let column = 0; column < outFeatures; column++) {
			const code = codes[row * outFeatures + column]!;
			putBits(words, column, outFeatures, row * 4, 4, code);

			const at = groupOfRow[row]! * outFeatures + column;
			const zero = zeros[at]! + (version === 1 ? 1 : 0);
			dequantised[row * outFeatures + column] = roundToHalf((code - zero) * roundToHalf(values[at]!));
		}
	}

	const tensors = new Map([
		[`${key}.qweight`, tensor('I32', [inFeatures / 8, outFeatures], words)],
		[`${key}.qzeros`, tensor('I32', [groups, outFeatures / 8], packNibbles(zeros))],
		[`${key}.scales`, tensor(scaleType, [groups, outFeatures], stored)],
	]);
	if (groupIndex) tensors.set(`${key}.g_idx`, tensor('I32', [inFeatures], groupOfRow));
	return {tensors, dequantised, inFeatures, outFeatures};
}

/** Values as a tensor of `dtype` stores them, and what they are then. */
export function roundAll(
	values: Float64Array,
	dtype: FloatType,
): {stored: Float32Array | Uint16Array; values: Float64Array} {
	if (dtype === 'F32') return {stored: Float32Array.from(values), values: values.map(Math.fround)};
	const [encode, decode] = dtype === 'F16' ? [numberToHalf, halfToNumber] : [numberToBfloat, bfloatToNumber];
	return {stored: Uint16Array.from(values, encode), values: values.map(value => decode(encode(value)))};
}

/** Puts a code at bit `position` of the stream that starts at word `start` and goes on every `stride` words. */
function putBits(words: Uint32Array, start: number, stride: number, position: number, bits: number, code: number) {
	for (let bit = 0; bit < bits; bit++) {
		const at = position + bit;
		words[start + Math.floor(at / 32) * stride]! |= ((code >> bit) & 1) << (at % 32);
	}
}

function packNibbles(nibbles: Uint8Array): Uint32Array {
	const words = new Uint32Array(nibbles.length / 8);
	for (const [i, nibble] of nibbles.entries()) words[i >> 3]! |= nibble << (4 * (i % 8));
	return words;
}

function randomNibbles(random: Random, length: number): Uint8Array {
	return Uint8Array.from({length}, () => random.int(16));
}

function identity(length: number): Int32Array {
	return Int32Array.from({length}, (_, i) => i);
}

function sum(values: readonly number[]): number {
	return values.reduce((total, value) => total + value, 0);
}
