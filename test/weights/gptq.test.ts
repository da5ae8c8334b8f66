import {join} from 'node:path';
import {expect, it} from 'vitest';
import {openWeights} from '../../lib/weights/directory.js';
import {type GptqOptions, gptqSource} from '../../lib/weights/gptq.js';
import {dequantize, readInts} from '../support/dequantize.js';
import {temporaryDirectory} from '../support/directory.js';
import {encodeGptq, type Packed, packGptq} from '../support/quantize.js';
import {inMemory, type Tensor, tensor, writeSafetensors} from '../support/safetensors.js';

async function throughFile(packed: Packed, options?: GptqOptions) {
	const directory = await temporaryDirectory();
	await writeSafetensors(join(directory, 'model.safetensors'), packed.tensors);
	return gptqSource(await openWeights(directory), 'linear', packed, options);
}

it.each([
	{inFeatures: 128, groupSize: 32, groups: [32, 32, 32, 32]},
	{inFeatures: 384, groupSize: 128, groups: [128, 128, 128]},
	{inFeatures: 96, groupSize: 64, groups: [64, 32]},
	{inFeatures: 96, groupSize: -1, groups: [96]},
	{inFeatures: 40, groupSize: 1000, groups: [40]},
	{inFeatures: 144, groupSize: 48, groups: [48, 48, 48]},
	{inFeatures: 8, groupSize: 1, groups: [1, 1, 1, 1, 1, 1, 1, 1]},
])('reads $inFeatures rows in groups of $groupSize', async ({inFeatures, groupSize, groups}) => {
	const packed = packGptq({inFeatures, outFeatures: 24, groupSize});
	const source = await throughFile(packed, {groupSize});
	expect([...readInts(source, 'groups')!]).toEqual(groups.flatMap(rows => [4, rows]));
	expect(source.pieces['order']).toBeUndefined();
	expect(dequantize(source)).toEqual(packed.dequantised);
});

it.each([
	{inFeatures: 96, groupSize: 64},
	{inFeatures: 384, groupSize: 32},
	{inFeatures: 160, groupSize: 32},
	{inFeatures: 96, groupSize: -1},
])('finds groups of $groupSize in $inFeatures rows by itself', async ({inFeatures, groupSize}) => {
	const packed = packGptq({inFeatures, outFeatures: 8, groupSize});
	expect(dequantize(await throughFile(packed))).toEqual(packed.dequantised);
});

it('takes a group size that is no power of two where one does not fit', async () => {
	const scales = tensor('F16', [10, 8], new Uint16Array(80));
	const zeros = tensor('I32', [10, 1], new Uint32Array(10));
	const {tensors} = packGptq({inFeatures: 240, outFeatures: 8, groupSize: -1});
	const files = inMemory(new Map([...tensors, ['linear.scales', scales], ['linear.qzeros', zeros]]));
	const source = await gptqSource(files, 'linear', {inFeatures: 240, outFeatures: 8});
	expect(readInts(source, 'groups')!.filter((_, i) => i % 2)).toEqual(new Int32Array(10).fill(24));
});

it.each([
	{groupSize: 32, version: 1, scaleType: 'F16'},
	{groupSize: 48, version: 2, scaleType: 'BF16'},
	{groupSize: 64, version: 2, scaleType: 'F32'},
] as const)('sorts rows that are out of order: $groupSize, v$version, $scaleType', async options => {
	const packed = packGptq({inFeatures: 160, outFeatures: 16, actOrder: true, ...options});
	const source = await throughFile(packed, {version: options.version});
	expect(source.pieces['scales']!.dtype).toBe(options.scaleType);
	expect(source.numbers).toEqual({zeroOffset: options.version === 1 ? 1 : 0});
	expect(new Set(readInts(source, 'order')).size).toBe(160);
	expect(dequantize(source)).toEqual(packed.dequantised);
});

it('keeps the order of rows within a group, and groups without rows', async () => {
	const packed = encodeGptq({
		key: 'linear',
		outFeatures: 8,
		codes: Uint8Array.from({length: 64}, (_, i) => i % 16),
		groupOfRow: Int32Array.of(3, 0, 3, 1, 0, 1, 3, 0),
		zeros: Uint8Array.from({length: 32}, (_, i) => (5 * i) % 16),
		scales: Float64Array.from({length: 32}, (_, i) => 0.01 * (i + 1)),
		scaleType: 'F16',
		version: 1,
		groupIndex: true,
	});
	const source = await throughFile(packed);
	expect([...readInts(source, 'groups')!]).toEqual([4, 3, 4, 2, 4, 0, 4, 3]);
	expect([...readInts(source, 'order')!]).toEqual([1, 4, 7, 3, 5, 0, 2, 6]);
	expect(dequantize(source)).toEqual(packed.dequantised);
});

it('needs no permutation for a g_idx in order, and takes one of zeros as absent', async () => {
	const packed = packGptq({inFeatures: 96, outFeatures: 8, groupSize: 48, groupIndex: true});
	const source = await throughFile(packed, {groupSize: 1});
	expect([...readInts(source, 'groups')!]).toEqual([4, 48, 4, 48]);
	expect(source.pieces['order']).toBeUndefined();

	packed.tensors.set('linear.g_idx', tensor('I32', [96], new Int32Array(96)));
	expect([...readInts(await throughFile(packed, {groupSize: 48}), 'groups')!]).toEqual([4, 48, 4, 48]);
});

const {tensors} = packGptq({inFeatures: 64, outFeatures: 32, groupSize: 32, groupIndex: true});
const retyped = (name: string, change: Partial<Tensor>) => ({...tensors.get(`linear.${name}`)!, ...change});
const indexed = (row: number, group: number) => tensor('I32', [64], new Int32Array(64).fill(group, row, row + 1));

it.each<[string, string, Tensor | undefined, string, RegExp]>([
	['a missing tensor', 'qzeros', undefined, 'EXL_MODEL_INVALID', /no tensor linear.qzeros/],
	['another type of words', 'qweight', retyped('qweight', {dtype: 'I16'}), 'EXL_FORMAT_INVALID', /I16, expected I32/],
	['8 bits', 'qweight', retyped('qweight', {shape: [16, 32]}), 'EXL_FORMAT_UNSUPPORTED', /codes of 8 bits, expected 4/],
	['3 bits', 'qweight', retyped('qweight', {shape: [6, 32]}), 'EXL_FORMAT_UNSUPPORTED', /codes of 3 bits, expected 4/],
	[
		'another height',
		'qweight',
		retyped('qweight', {shape: [9, 32]}),
		'EXL_SHAPE_MISMATCH',
		/\[9, 32\], expected \[8, 32\]/,
	],
	[
		'another width',
		'qweight',
		retyped('qweight', {shape: [8, 24]}),
		'EXL_SHAPE_MISMATCH',
		/\[8, 24\], expected \[8, 32\]/,
	],
	[
		'a type of scales',
		'scales',
		retyped('scales', {dtype: 'F64'}),
		'EXL_FORMAT_UNSUPPORTED',
		/F64, expected F32, F16 or BF16/,
	],
	[
		'scales of other columns',
		'scales',
		retyped('scales', {shape: [2, 16]}),
		'EXL_SHAPE_MISMATCH',
		/\[2, 16\], expected \[2, 32\]/,
	],
	['no groups', 'scales', retyped('scales', {shape: [0, 32]}), 'EXL_SHAPE_MISMATCH', /\[0, 32\], expected a matrix/],
	[
		'zeros of other groups',
		'qzeros',
		retyped('qzeros', {shape: [3, 4]}),
		'EXL_SHAPE_MISMATCH',
		/\[3, 4\], expected \[2, 4\]/,
	],
	['a group out of range', 'g_idx', indexed(7, 2), 'EXL_FORMAT_INVALID', /row 7 into group 2, expected 0..1/],
	['a negative group', 'g_idx', indexed(9, -1), 'EXL_FORMAT_INVALID', /row 9 into group -1/],
	['a short g_idx', 'g_idx', retyped('g_idx', {shape: [32]}), 'EXL_SHAPE_MISMATCH', /\[32\], expected \[64\]/],
	['a type of g_idx', 'g_idx', retyped('g_idx', {dtype: 'I64'}), 'EXL_FORMAT_INVALID', /I64, expected I32/],
])('refuses %s', async (_, name, value, code, message) => {
	const changed = new Map(tensors);
	changed.delete(`linear.${name}`);
	if (value) changed.set(`linear.${name}`, value);
	const source = gptqSource(inMemory(changed), 'linear', {inFeatures: 64, outFeatures: 32});
	await expect(source).rejects.toMatchObject({code, message: expect.stringMatching(message)});
});

it('refuses what the configuration says and the tensors do not', async () => {
	const packed = packGptq({inFeatures: 64, outFeatures: 32, groupSize: 32});
	await expect(throughFile(packed, {bits: 8})).rejects.toMatchObject({
		code: 'EXL_FORMAT_UNSUPPORTED',
		message: expect.stringMatching(/8 bits/),
	});
	await expect(throughFile(packed, {groupSize: 16})).rejects.toMatchObject({
		code: 'EXL_SHAPE_MISMATCH',
		message: expect.stringMatching(/\[2, 32\], expected 4 groups for 64 input features in groups of 16/),
	});
	await expect(throughFile(packed, {groupSize: -1})).rejects.toThrow(/expected 1 groups/);
});
