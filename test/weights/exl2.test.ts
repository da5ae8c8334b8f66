import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {openWeights} from '../../lib/weights/directory.js';
import {exl2Source} from '../../lib/weights/exl2.js';
import {numberToHalf} from '../../lib/weights/half.js';
import {dequantize, readBytes, readInts} from '../support/dequantize.js';
import {temporaryDirectory} from '../support/directory.js';
import {encodeExl2, type Packed, packExl2} from '../support/quantize.js';
import {inMemory, type Tensor, tensor, writeSafetensors} from '../support/safetensors.js';

async function throughFile(packed: Packed, outFeatures = packed.outFeatures) {
	const directory = await temporaryDirectory();
	await writeSafetensors(join(directory, 'output.safetensors'), packed.tensors);
	return exl2Source(await openWeights(directory), 'linear', {inFeatures: packed.inFeatures, outFeatures});
}

describe('the worked example of the format', () => {
	const [rows, columns] = [96, 32];
	const code = (row: number, n: number) => (row < 32 ? (3 * row + n) % 16 : (5 * (row - 32) + n) % 8);
	const example = encodeExl2({
		key: 'linear',
		outFeatures: columns,
		groups: [
			{bits: 4, rows: 32},
			{bits: 3, rows: 64},
		],
		codes: Uint8Array.from({length: rows * columns}, (_, i) => code(Math.floor(i / columns), i % columns)),
		nibbles: Uint8Array.from({length: 2 * columns}, (_, i) => (i < columns ? i : 2 * i) % 16),
		maxima: Uint16Array.of(numberToHalf(0.0125), numberToHalf(0.03)),
		permutation: Int32Array.from({length: rows}, (_, k) => (5 * k) % rows),
	});

	it('is packed as printed', () => {
		const words = (name: string) => new Uint32Array(example.tensors.get(name)!.data.slice().buffer);
		const hex = (values: Uint32Array) => [...values].map(value => value.toString(16).padStart(8, '0')).join(' ');
		expect(hex(words('linear.q_weight').filter((_, i) => i % columns === 5))).toBe(
			'a741eb85 2fc9630d a741eb85 2fc9630d d50f19d5 19d50f19 0f19d50f d50f19d5 19d50f19 0f19d50f',
		);
		expect(hex(words('linear.q_scale'))).toBe(
			'76543210 fedcba98 76543210 fedcba98 eca86420 eca86420 eca86420 eca86420',
		);
		expect([...words('linear.q_invperm').slice(0, 8)]).toEqual([0, 77, 58, 39, 20, 1, 78, 59]);
		expect([...new Uint16Array(example.tensors.get('linear.q_groups')!.data.slice().buffer)]).toEqual([4, 0, 3, 4]);
	});

	it('is read as printed', async () => {
		const source = await throughFile(example);
		expect(source).toMatchObject({format: 'exl2', shape: [32, 96]});
		expect([...readInts(source, 'groups')!]).toEqual([4, 32, 3, 64]);
		expect([...readInts(source, 'permutation')!.subarray(0, 4)]).toEqual([0, 5, 10, 15]);
		expect(source.pieces['maxima']!.data).toEqual(Uint16Array.of(0x2266, 0x27ae));
		expect(readBytes(source.pieces['codes']!.data).length).toBe(10 * 32 * 4);

		const weights = dequantize(source);
		const bits = [0, 5, 10, 1, 2].map(row => numberToHalf(weights[row * columns + 5]!));
		expect(bits).toEqual([0x9d66, 0, 0x1d66, 0x2742, 0x2972]);
	});
});

describe.each([
	{groups: [[4, 128]], outFeatures: 32},
	{
		groups: [
			[8, 32],
			[6, 32],
			[5, 32],
			[4, 32],
			[3, 32],
			[2, 32],
		],
		outFeatures: 64,
	},
	{
		groups: [
			[6, 128],
			[5, 64],
			[5, 32],
		],
		outFeatures: 8,
	},
	{
		groups: [
			[3, 32],
			[2, 16],
		],
		outFeatures: 24,
	},
])('a matrix with groups $groups', ({groups, outFeatures}) => {
	const shape = {groups: groups.map(([bits, rows]) => ({bits: bits!, rows: rows!})), outFeatures};

	it.each([true, false])('comes back exactly (rows permuted: %s)', async permute => {
		const packed = packExl2({...shape, permute, seed: outFeatures});
		const source = await throughFile(packed);
		expect([...readInts(source, 'groups')!]).toEqual(groups.flat());
		expect('permutation' in source.pieces).toBe(permute);
		expect(dequantize(source)).toEqual(packed.dequantised);
	});
});

it('accepts columns that fill up a multiple of 32, and reports them', async () => {
	const packed = packExl2({groups: [{bits: 4, rows: 32}], outFeatures: 64});
	expect((await throughFile(packed, 33)).shape[0]).toBe(64);
	await expect(throughFile(packed, 32)).rejects.toMatchObject({code: 'EXL_SHAPE_MISMATCH'});
	await expect(throughFile(packed, 65)).rejects.toMatchObject({code: 'EXL_SHAPE_MISMATCH'});
});

const {tensors} = packExl2({
	groups: [
		{bits: 5, rows: 32},
		{bits: 3, rows: 32},
	],
	outFeatures: 32,
});
const max = (...values: number[]) => tensor('F16', [values.length], Uint16Array.from(values, numberToHalf));
const groups = (...values: number[]) => tensor('I16', [values.length], Uint16Array.from(values));
const invperm = (change: (values: Int32Array) => void) => {
	const values = new Int32Array(tensors.get('linear.q_invperm')!.data.slice().buffer);
	change(values);
	return tensor('I32', [64], values);
};
const retyped = (name: string, change: Partial<Tensor>) => ({...tensors.get(`linear.${name}`)!, ...change});

it.each<[string, string, Tensor | undefined, string, RegExp]>([
	['a missing tensor', 'q_scale', undefined, 'EXL_MODEL_INVALID', /no tensor linear.q_scale$/],
	[
		'another type of words',
		'q_weight',
		retyped('q_weight', {dtype: 'F32'}),
		'EXL_FORMAT_INVALID',
		/q_weight is F32, expected I32/,
	],
	[
		'words that are no matrix',
		'q_weight',
		retyped('q_weight', {shape: [256]}),
		'EXL_SHAPE_MISMATCH',
		/\[256\], expected a matrix/,
	],
	[
		'another type of groups',
		'q_groups',
		retyped('q_groups', {dtype: 'I32', shape: [2]}),
		'EXL_FORMAT_INVALID',
		/expected I16/,
	],
	[
		'a type of maxima',
		'q_scale_max',
		retyped('q_scale_max', {dtype: 'BF16'}),
		'EXL_FORMAT_INVALID',
		/BF16, expected F16/,
	],
	[
		'scales of other columns',
		'q_scale',
		retyped('q_scale', {shape: [4, 2]}),
		'EXL_SHAPE_MISMATCH',
		/\[4, 2\], expected \[4, 4\]/,
	],
	['too few maxima', 'q_scale_max', max(1), 'EXL_SHAPE_MISMATCH', /\[1\], expected \[2\]/],
	['an infinite maximum', 'q_scale_max', max(1, 1e9), 'EXL_FORMAT_INVALID', /Infinity for group 1/],
	['a maximum that is no number', 'q_scale_max', max(Number.NaN, 1), 'EXL_FORMAT_INVALID', /NaN for group 0/],
	['a negative maximum', 'q_scale_max', max(1, -0.5), 'EXL_FORMAT_INVALID', /-0.5 for group 1/],
	['too few groups', 'q_groups', groups(5, 0), 'EXL_SHAPE_MISMATCH', /\[2\], expected \[4\]/],
	['7 bits', 'q_groups', groups(7, 0, 3, 5), 'EXL_FORMAT_INVALID', /group 0 7 bits, expected one of 2,3,4,5,6,8/],
	['bits that rise', 'q_groups', groups(3, 0, 5, 3), 'EXL_FORMAT_INVALID', /group 1 5 bits after one of 3/],
	['a late start', 'q_groups', groups(5, 1, 3, 5), 'EXL_FORMAT_INVALID', /group 0 at row 1/],
	['an empty group', 'q_groups', groups(4, 0, 3, 8), 'EXL_FORMAT_INVALID', /group 1 at rows 8 to 8/],
	['a group beyond the end', 'q_groups', groups(5, 0, 3, 60000), 'EXL_FORMAT_INVALID', /group 1 at rows 60000 to 8/],
	[
		'part of a row',
		'q_groups',
		groups(5, 0, 3, 4),
		'EXL_FORMAT_INVALID',
		/group 0 4 rows of words, expected whole rows/,
	],
	['too few rows', 'q_groups', groups(8, 0, 3, 5), 'EXL_SHAPE_MISMATCH', /holds 52 input features, expected 64/],
	[
		'a row taken twice',
		'q_invperm',
		invperm(values => values.set([values[1]!])),
		'EXL_FORMAT_INVALID',
		/feature 1 into row/,
	],
	[
		'a negative row',
		'q_invperm',
		invperm(values => values.set([-1])),
		'EXL_FORMAT_INVALID',
		/feature 0 into row -1, expected each of 0..63/,
	],
	[
		'a row out of range',
		'q_invperm',
		invperm(values => values.set([64])),
		'EXL_FORMAT_INVALID',
		/feature 0 into row 64/,
	],
	['another height', 'q_invperm', retyped('q_invperm', {shape: [32]}), 'EXL_SHAPE_MISMATCH', /\[32\], expected \[64\]/],
])('refuses %s', async (_, name, value, code, message) => {
	const changed = new Map(tensors);
	changed.delete(`linear.${name}`);
	if (value) changed.set(`linear.${name}`, value);
	const source = exl2Source(inMemory(changed), 'linear', {inFeatures: 64, outFeatures: 32});
	await expect(source).rejects.toMatchObject({code, message: expect.stringMatching(message)});
});

it('refuses columns that are no multiple of 8', async () => {
	const changed = new Map(tensors).set('linear.q_weight', retyped('q_weight', {shape: [8, 30]}));
	const source = exl2Source(inMemory(changed), 'linear', {inFeatures: 64, outFeatures: 30});
	await expect(source).rejects.toMatchObject({code: 'EXL_SHAPE_MISMATCH'});
});
