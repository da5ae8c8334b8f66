import {ExlError} from '../errors/index.js';
import type {WeightSource} from '../native/index.js';
import type {LinearShape} from './float.js';
import type {TensorEntry} from './safetensors.js';
import {broken, expectShape, expectType, floatType, int32s, matrixShape, pieceOf, shapeMismatch} from './tensor.js';
import type {WeightFiles} from './weight-files.js';

const supportedBits = 4;
const otherBits = [2, 3, 8];
const codesPerWord = 8;

/** What `quantization_config` says about a GPTQ model; each part may be missing from it. */
export type GptqOptions = {
	/** Bits of a code. Only 4 is supported. */
	readonly bits?: number;
	/** Rows that share a scale; -1 for all. Not asked where `g_idx` says it row by row. */
	readonly groupSize?: number;
	/** How zero points are stored: 1 less one (`gptq`), 2 as they are (`gptq_v2`). Default 1. */
	readonly version?: 1 | 2;
};

/**
A 4-bit GPTQ matrix: `qweight`, `qzeros`, `scales` and perhaps `g_idx` under `key`.

@throws {ExlError} `EXL_FORMAT_UNSUPPORTED` for other widths, `EXL_FORMAT_INVALID` if `g_idx` is out of range,
`EXL_SHAPE_MISMATCH` if the tensors contradict each other or `shape`, `EXL_MODEL_INVALID` if one is missing.
*/
export async function gptqSource(
	files: WeightFiles,
	key: string,
	{inFeatures, outFeatures}: LinearShape,
	options: GptqOptions = {},
): Promise<WeightSource> {
	const weight = files.entry(`${key}.qweight`);
	const zeros = files.entry(`${key}.qzeros`);
	const scales = files.entry(`${key}.scales`);

	checkWidth(weight, inFeatures, options.bits);
	expectType(weight, 'I32');
	expectShape(weight, [inFeatures / codesPerWord, outFeatures]);

	floatType(scales);
	const [groups] = matrixShape(scales);
	expectShape(scales, [groups, outFeatures]);
	expectType(zeros, 'I32');
	expectShape(zeros, [groups, outFeatures / codesPerWord]);

	const groupOfRow = await readGroupIndex(files, `${key}.g_idx`, inFeatures, groups);
	const {rows, order} = groupOfRow
		? sortByGroup(groupOfRow, groups)
		: {rows: evenGroups(scales, groups, inFeatures, options.groupSize), order: undefined};

	return {
		format: 'gptq',
		shape: [outFeatures, inFeatures],
		pieces: {
			codes: pieceOf(weight),
			scales: pieceOf(scales),
			zeros: pieceOf(zeros),
			groups: {
				dtype: 'I32',
				shape: [groups, 2],
				data: Int32Array.from([...rows].flatMap(count => [supportedBits, count])),
			},
			...(order && {order: {dtype: 'I32', shape: [inFeatures], data: order}}),
		},
		numbers: {zeroOffset: options.version === 2 ? 0 : 1},
	};
}

/** Both what the configuration says and what the height of `qweight` implies. */
function checkWidth(weight: TensorEntry, inFeatures: number, configured = supportedBits): void {
	const [wordRows] = matrixShape(weight);
	const implied = (wordRows * 32) / inFeatures;
	const bits = configured === supportedBits && otherBits.includes(implied) ? implied : configured;
	if (bits !== supportedBits) {
		const message = `${weight.name} has codes of ${bits} bits, expected ${supportedBits} (${weight.file})`;
		throw new ExlError('EXL_FORMAT_UNSUPPORTED', message, {op: weight.name});
	}
}

/** Group of each row, or nothing where it is missing or says nothing: some writers leave it all zeros. */
async function readGroupIndex(files: WeightFiles, name: string, inFeatures: number, groups: number) {
	if (!files.has(name)) return undefined;
	const entry = files.entry(name);
	expectType(entry, 'I32');
	expectShape(entry, [inFeatures]);

	const groupOfRow = int32s(await files.read(entry));
	const row = groupOfRow.findIndex(group => group < 0 || group >= groups);
	if (row !== -1) {
		throw broken(entry, `puts row ${row} into group ${groupOfRow[row]}, expected 0..${groups - 1}`);
	}
	return groupOfRow.some(group => group !== 0) ? groupOfRow : undefined;
}

/** Rows of each group, and the rows in stable order of their groups unless they already are. A group may be empty. */
function sortByGroup(groupOfRow: Int32Array, groups: number): {rows: Int32Array; order: Int32Array | undefined} {
	const rows = new Int32Array(groups);
	for (const group of groupOfRow) rows[group]!++;

	const next = new Int32Array(groups);
	for (let group = 1; group < groups; group++) next[group] = next[group - 1]! + rows[group - 1]!;

	const order = new Int32Array(groupOfRow.length);
	for (let row = 0; row < groupOfRow.length; row++) order[next[groupOfRow[row]!]!++] = row;
	return {rows, order: order.every((row, i) => row === i) ? undefined : order};
}

/** Rows of each group where all have one size but the last, which may be shorter. */
function evenGroups(scales: TensorEntry, groups: number, inFeatures: number, configured?: number): Int32Array {
	const size = configured === -1 ? inFeatures : (configured ?? deriveGroupSize(inFeatures, groups));
	const expected = Math.ceil(inFeatures / size);
	if (expected !== groups) {
		throw shapeMismatch(scales, `${expected} groups for ${inFeatures} input features in groups of ${size}`);
	}
	return Int32Array.from({length: groups}, (_, group) => Math.min(size, inFeatures - group * size));
}

/** ExLlamaV2 takes the smallest power of two that is large enough; other sizes are only tried where that fails. */
function deriveGroupSize(inFeatures: number, groups: number): number {
	const size = Math.ceil(inFeatures / groups);
	const power = 2 ** Math.ceil(Math.log2(size));
	return Math.ceil(inFeatures / power) === groups ? power : size;
}
