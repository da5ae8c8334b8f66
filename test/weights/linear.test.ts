import {expect, it} from 'vitest';
import {embeddingSource, vectorSource} from '../../lib/weights/float.js';
import {linearFormat, linearSource} from '../../lib/weights/linear.js';
import {packExl2, packGptq} from '../support/quantize.js';
import {inMemory, type Tensor, tensor} from '../support/safetensors.js';

const shape = {inFeatures: 32, outFeatures: 16};
const exl2 = packExl2({key: 'x', groups: [{bits: 4, rows: 32}], outFeatures: 16}).tensors;
const gptq = packGptq({key: 'x', ...shape, groupSize: 32}).tensors;
const float = new Map([['x.weight', tensor('F32', [16, 32], new Float32Array(512))]]);
const halves = (...values: number[]) => tensor('F16', [values.length], Uint16Array.from(values));

it('takes EXL2 before GPTQ before plain', async () => {
	const all = [...float, ...gptq, ...exl2];
	expect(linearFormat(inMemory(new Map(all)), 'x')).toBe('exl2');
	expect((await linearSource(inMemory(new Map(all)), 'x', shape)).weight.format).toBe('exl2');
	expect((await linearSource(inMemory(new Map([...float, ...gptq])), 'x', shape)).weight.format).toBe('gptq');
	expect((await linearSource(inMemory(float), 'x', shape)).weight).toMatchObject({
		format: 'float',
		shape: [16, 32],
		pieces: {data: {dtype: 'F32'}},
	});
	expect(linearFormat(inMemory(new Map()), 'x')).toBeUndefined();
	await expect(linearSource(inMemory(new Map()), 'x', shape)).rejects.toMatchObject({
		code: 'EXL_MODEL_INVALID',
		op: 'x',
	});
});

it('tells the columns asked for from those stored', async () => {
	const padded = packExl2({key: 'x', groups: [{bits: 4, rows: 32}], outFeatures: 32}).tensors;
	padded.set('x.bias', halves(...new Array<number>(32).fill(1)));
	const source = await linearSource(inMemory(padded), 'x', {inFeatures: 32, outFeatures: 17});
	expect(source).toMatchObject({outFeatures: 17, weight: {shape: [32, 32]}, bias: {shape: [32]}});
});

it('drops a bias of zeros from GPTQ only', async () => {
	const zero = halves(...new Array<number>(16).fill(0));
	const negative = halves(...new Array<number>(16).fill(0x8000));
	const one = halves(...new Array<number>(15).fill(0), 1);
	const biasOf = async (tensors: Map<string, Tensor>, bias: Tensor) =>
		(await linearSource(inMemory(new Map(tensors).set('x.bias', bias)), 'x', shape)).bias;

	expect(await biasOf(gptq, zero)).toBeUndefined();
	expect(await biasOf(gptq, negative)).toBeUndefined();
	expect(await biasOf(gptq, one)).toMatchObject({shape: [16], pieces: {data: {dtype: 'F16'}}});
	expect(await biasOf(exl2, zero)).toMatchObject({shape: [16]});
	expect(await biasOf(float, zero)).toMatchObject({shape: [16]});
	await expect(biasOf(gptq, halves(1))).rejects.toMatchObject({code: 'EXL_SHAPE_MISMATCH', op: 'x.bias'});
});

it('refuses plain weights of other shapes and types', async () => {
	const swapped = new Map([['x.weight', tensor('F16', [32, 16], new Uint16Array(512))]]);
	await expect(linearSource(inMemory(swapped), 'x', shape)).rejects.toMatchObject({
		code: 'EXL_SHAPE_MISMATCH',
		message: expect.stringMatching(/x.weight is \[32, 16\], expected \[16, 32\]/),
	});
	const bytes = new Map([['x.weight', tensor('F8_E4M3', [16, 32], new Uint8Array(512))]]);
	await expect(linearSource(inMemory(bytes), 'x', shape)).rejects.toMatchObject({
		code: 'EXL_FORMAT_UNSUPPORTED',
		message: expect.stringMatching(/x.weight is F8_E4M3, expected F32, F16 or BF16/),
	});
});

it('reads norms and embeddings', () => {
	const files = inMemory(
		new Map([
			['norm.weight', tensor('BF16', [4, 8], new Uint16Array(32))],
			['embed.weight', tensor('F16', [10, 8], new Uint16Array(80))],
		]),
	);
	expect(vectorSource(files, 'norm.weight', [8], [4, 8])).toMatchObject({
		format: 'float',
		shape: [4, 8],
		pieces: {data: {dtype: 'BF16'}},
	});
	expect(() => vectorSource(files, 'norm.weight', [8], [2, 8])).toThrow(/is \[4, 8\], expected \[8\] or \[2, 8\]/);
	expect(() => vectorSource(files, 'none.weight', [8])).toThrow(expect.objectContaining({code: 'EXL_MODEL_INVALID'}));
	expect(embeddingSource(files, 'embed', 10, 8).shape).toEqual([10, 8]);
	expect(() => embeddingSource(files, 'embed', 11, 8)).toThrow(expect.objectContaining({code: 'EXL_SHAPE_MISMATCH'}));
});
