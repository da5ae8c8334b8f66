import {ExlError} from '../errors/index.js';
import type {WeightSource} from '../native/index.js';
import type {LinearShape} from './float.js';
import {halfToNumber} from './half.js';
import type {TensorEntry} from './safetensors.js';
import {broken, expectShape, expectType, int32s, matrixShape, pieceOf, shapeMismatch, uint16s} from './tensor.js';
import type {WeightFiles} from './weight-files.js';

const widths = [2, 3, 4, 5, 6, 8];

/** ExLlamaV2 pads columns to a multiple of 32 before it quantises. Only `lm_head` normally needs it. */
const columnPadding = 32;

/**
An EXL2 matrix: `q_weight`, `q_scale`, `q_scale_max`, `q_groups` and `q_invperm` under `key`.

The width of the result is what the file holds: up to 31 columns more than asked for, which dequantise to 0.

@throws {ExlError} `EXL_FORMAT_INVALID` if the tensors contradict the format, `EXL_SHAPE_MISMATCH` if they contradict
each other or `shape`, `EXL_MODEL_INVALID` if one is missing.
*/
export async function exl2Source(files: WeightFiles, key: string, shape: LinearShape): Promise<WeightSource> {
	const weight = files.entry(`${key}.q_weight`);
	const scale = files.entry(`${key}.q_scale`);
	const scaleMax = files.entry(`${key}.q_scale_max`);
	const pairs = files.entry(`${key}.q_groups`);
	const inverse = files.entry(`${key}.q_invperm`);

	const outFeatures = checkColumns(weight, shape.outFeatures);
	expectType(scale, 'I32');
	const [count] = matrixShape(scale);
	expectShape(scale, [count, outFeatures / 8]);
	expectType(scaleMax, 'F16');
	expectShape(scaleMax, [count]);
	expectType(pairs, 'I16');
	expectShape(pairs, [2 * count]);
	expectType(inverse, 'I32');
	expectShape(inverse, [shape.inFeatures]);

	const groups = readGroups(uint16s(await files.read(pairs)), pairs, weight, shape.inFeatures);
	const permutation = invert(int32s(await files.read(inverse)), inverse);
	const max = uint16s(await files.read(scaleMax));
	checkMaxima(max, scaleMax);

	return {
		format: 'exl2',
		shape: [outFeatures, shape.inFeatures],
		pieces: {
			codes: pieceOf(weight),
			scales: pieceOf(scale),
			maxima: {dtype: 'F16', shape: [count], data: max},
			groups: {dtype: 'I32', shape: [count, 2], data: groups},
			...(permutation && {permutation: {dtype: 'I32', shape: [permutation.length], data: permutation}}),
		},
	};
}

function checkColumns(weight: TensorEntry, outFeatures: number): number {
	expectType(weight, 'I32');
	const [, columns] = matrixShape(weight);
	if (columns < outFeatures || columns - outFeatures >= columnPadding) {
		throw shapeMismatch(weight, `${outFeatures} columns, padded to at most a multiple of ${columnPadding}`);
	}
	if (columns % 8 !== 0) throw shapeMismatch(weight, 'a multiple of 8 columns');
	return columns;
}

/** From pairs (bits, first row of words) to pairs (bits, rows). */
function readGroups(pairs: Uint16Array, entry: TensorEntry, weight: TensorEntry, inFeatures: number): Int32Array {
	const groups = new Int32Array(pairs.length);
	const [wordRows] = matrixShape(weight);
	let total = 0;

	if (pairs[1] !== 0) throw broken(entry, `starts group 0 at row ${pairs[1]} of q_weight, expected 0`);
	for (let i = 0; i < pairs.length; i += 2) {
		const bits = pairs[i]!;
		const start = pairs[i + 1]!;
		const end = pairs[i + 3] ?? wordRows;

		if (!widths.includes(bits)) throw broken(entry, `gives group ${i / 2} ${bits} bits, expected one of ${widths}`);
		const before = pairs[i - 2] ?? bits;
		if (bits > before) {
			throw broken(entry, `gives group ${i / 2} ${bits} bits after one of ${before}, expected no more`);
		}
		if (start >= end) {
			throw broken(entry, `puts group ${i / 2} at rows ${start} to ${end} of q_weight, expected an ascending range`);
		}
		const rows = ((end - start) * 32) / bits;
		if (!Number.isInteger(rows)) {
			throw broken(entry, `gives group ${i / 2} ${end - start} rows of words, expected whole rows of ${bits} bits`);
		}
		groups.set([bits, rows], i);
		total += rows;
	}
	if (total !== inFeatures) throw rowMismatch(weight, total, inFeatures);
	return groups;
}

function rowMismatch(weight: TensorEntry, found: number, expected: number): ExlError {
	const message = `${weight.name} holds ${found} input features, expected ${expected} (${weight.file})`;
	return new ExlError('EXL_SHAPE_MISMATCH', message, {op: weight.name});
}

/** From the packed row of each feature to the feature of each packed row. Nothing for the identity. */
function invert(inverse: Int32Array, entry: TensorEntry): Int32Array | undefined {
	const permutation = new Int32Array(inverse.length).fill(-1);
	// By index: an iterator of pairs leaves an array per feature to the garbage collector, megabytes for a large model.
	for (let feature = 0; feature < inverse.length; feature++) {
		const row = inverse[feature]!;
		if (row < 0 || row >= inverse.length || permutation[row] !== -1) {
			throw broken(entry, `puts feature ${feature} into row ${row}, expected each of 0..${inverse.length - 1} once`);
		}
		permutation[row] = feature;
	}
	return permutation.every((feature, row) => feature === row) ? undefined : permutation;
}

function checkMaxima(max: Uint16Array, entry: TensorEntry): void {
	for (const [group, bits] of max.entries()) {
		const value = halfToNumber(bits);
		if (Number.isFinite(value) && value >= 0) continue;
		throw broken(entry, `is ${value} for group ${group}, expected a finite value >= 0`);
	}
}
