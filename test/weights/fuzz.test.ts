import {expect, it} from 'vitest';
import {isExlError} from '../../lib/errors/index.js';
import type {WeightSource} from '../../lib/native/index.js';
import {linearSource} from '../../lib/weights/linear.js';
import {headerLength, parseHeader} from '../../lib/weights/safetensors.js';
import {WeightFiles} from '../../lib/weights/weight-files.js';
import {readInts} from '../support/dequantize.js';
import {packExl2, packGptq} from '../support/quantize.js';
import {type Random, seededRandom} from '../support/random.js';
import {encodeSafetensors, frame, type Tensor, tensor} from '../support/safetensors.js';

/**
Damaged files: each must be refused with an `ExlError` or give sources that contradict neither themselves nor the file.
*/

const cases = 4000;
const shape = {inFeatures: 64, outFeatures: 32};

const exl2 = packExl2({
	outFeatures: 32,
	groups: [
		{bits: 5, rows: 32},
		{bits: 3, rows: 32},
	],
}).tensors;
const gptq = packGptq({...shape, groupSize: 16, actOrder: true}).tensors;

const strange = [
	-1,
	-0,
	0,
	1,
	2,
	31,
	33,
	1.5,
	2 ** 31,
	2 ** 32,
	2 ** 53,
	2 ** 63,
	1e308,
	'',
	'F16',
	'I32',
	'X',
	null,
	true,
	[],
	{},
];

/** What a loader does with a file, without a file. */
async function load(file: Buffer): Promise<{source: WeightSource | undefined; bytes: number}> {
	const length = headerLength(file.subarray(0, 8), 'fuzz', file.length);
	const {tensors} = parseHeader(file.subarray(8, 8 + length), 'fuzz', file.length);
	const files = new WeightFiles(tensors, async ({offset, length}) => file.subarray(offset, offset + length));
	const {weight} = await linearSource(files, 'linear', shape);
	return {source: weight.format === 'float' ? undefined : weight, bytes: file.length};
}

async function survives(file: Buffer): Promise<'loaded' | 'refused'> {
	try {
		const {source, bytes} = await load(file);
		if (source) checkSource(source, bytes);
		return 'loaded';
	} catch (error) {
		if (isExlError(error) && error.code !== 'EXL_INTERNAL' && error.message.length < 2000) return 'refused';
		throw error;
	}
}

function checkSource(source: WeightSource, bytes: number) {
	const [outFeatures, inFeatures] = source.shape as [number, number];
	const groups = readInts(source, 'groups')!;
	const pairs = Array.from({length: groups.length / 2}, (_, i) => ({bits: groups[2 * i]!, rows: groups[2 * i + 1]!}));
	const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
	const cells = pairs.length * outFeatures;

	expect(pairs.every(({bits, rows}) => bits >= 2 && bits <= 8 && bits !== 7 && rows >= 0)).toBe(true);
	expect(sum(pairs.map(({rows}) => rows))).toBe(inFeatures);
	const order = readInts(source, 'order') ?? readInts(source, 'permutation');
	if (order) expect([...order].sort((a, b) => a - b)).toEqual(Array.from({length: inFeatures}, (_, i) => i));

	const {codes, scales, zeros, maxima} = source.pieces;
	const lengths = [{piece: codes!, length: (sum(pairs.map(({bits, rows}) => bits * rows)) * outFeatures) / 8}];
	if (source.format === 'exl2') {
		const max = maxima!.data as Uint16Array;
		lengths.push({piece: scales!, length: cells / 2});
		expect(max.length).toBe(pairs.length);
		expect(max.every(bits => bits < 0x7c00 || bits === 0x8000)).toBe(true);
	} else {
		lengths.push({piece: zeros!, length: cells / 2});
		lengths.push({piece: scales!, length: cells * (scales!.dtype === 'F32' ? 4 : 2)});
	}
	for (const {piece, length} of lengths) {
		if (!('file' in piece.data)) expect.fail('expected a place in the file');
		expect(piece.data.length).toBe(length);
		expect(piece.data.offset >= 8 && piece.data.offset + length <= bytes).toBe(true);
	}
}

/** Runs one kind of damage `cases` times over both formats; an error names the seed that repeats it. */
async function fuzz(damage: (tensors: Map<string, Tensor>, random: Random) => Buffer) {
	const counts = {loaded: 0, refused: 0};
	for (let seed = 0; seed < cases; seed++) {
		const random = seededRandom(seed);
		const file = damage(seed % 2 ? gptq : exl2, random);
		try {
			counts[await survives(file)]++;
		} catch (error) {
			throw new Error(`seed ${seed}`, {cause: error});
		}
	}
	return counts;
}

function changeBytes(bytes: Uint8Array, random: Random, start = 0, end = bytes.length) {
	for (let left = 1 + random.int(4); left > 0; left--) bytes[start + random.int(end - start)] = random.int(256);
}

it('loads what is not damaged', async () => {
	expect(await survives(encodeSafetensors(exl2))).toBe('loaded');
	expect(await survives(encodeSafetensors(gptq))).toBe('loaded');
});

it('survives bytes of the header', async () => {
	const {refused} = await fuzz((tensors, random) => {
		const file = encodeSafetensors(tensors);
		changeBytes(file, random, 8, 8 + Number(file.readBigUInt64LE()));
		return file;
	});
	expect(refused).toBeGreaterThan(cases / 2);
});

it('survives the length of the header, and truncation', async () => {
	const {refused} = await fuzz((tensors, random) => {
		const file = encodeSafetensors(tensors);
		if (random.next() < 0.5) return file.subarray(0, random.int(file.length));
		changeBytes(file, random, 0, random.pick([1, 2, 8]));
		return file;
	});
	expect(refused).toBeGreaterThan(cases / 2);
});

it('survives fields of the header', async () => {
	const {refused} = await fuzz((tensors, random) => {
		const file = encodeSafetensors(tensors);
		const length = Number(file.readBigUInt64LE());
		const header = JSON.parse(file.toString('utf8', 8, 8 + length));
		const names = Object.keys(header);
		const entry = header[random.pick(names)];
		const field = random.pick(['dtype', 'shape', 'data_offsets']);
		const list = entry[field];

		if (random.next() < 0.1) header[random.pick(names)] = random.pick(strange);
		else if (random.next() < 0.2 || !Array.isArray(list)) entry[field] = random.pick(strange);
		else if (random.next() < 0.7) list[random.int(list.length)] = random.pick([...strange, random.int(4000)]);
		else list.push(random.pick(strange));
		if (random.next() < 0.05) delete header[random.pick(names)];

		return frame(JSON.stringify(header), [file.subarray(8 + length)]);
	});
	expect(refused).toBeGreaterThan(cases / 2);
});

it('survives the contents of tensors', async () => {
	const {loaded, refused} = await fuzz((tensors, random) => {
		const small = ['q_groups', 'q_invperm', 'q_scale_max', 'g_idx'].filter(name => tensors.has(`linear.${name}`));
		const name = `linear.${random.pick(small)}`;
		const {data, ...rest} = tensors.get(name)!;
		const changed = data.slice();
		changeBytes(changed, random);
		return encodeSafetensors(new Map(tensors).set(name, {...rest, data: changed}));
	});
	expect(loaded).toBeGreaterThan(0);
	expect(refused).toBeGreaterThan(cases / 4);
});

it('survives groups that look right', async () => {
	const {loaded, refused} = await fuzz((_, random) => {
		const starts = [0, random.int(4), 3 + random.int(6)].slice(0, 2 + random.int(2));
		const pairs = Uint16Array.from(starts.flatMap(start => [random.pick([1, 2, 3, 4, 5, 6, 7, 8, 16]), start]));
		const scales = Uint16Array.from(starts, () => 0x2000);
		return encodeSafetensors(
			new Map([
				...exl2,
				['linear.q_groups', tensor('I16', [pairs.length], pairs)],
				['linear.q_scale', tensor('I32', [starts.length, 4], new Uint32Array(starts.length * 4))],
				['linear.q_scale_max', tensor('F16', [starts.length], scales)],
			]),
		);
	});
	expect(loaded).toBeGreaterThan(10);
	expect(refused).toBeGreaterThan(cases / 2);
});

it('survives tensors of other sizes', async () => {
	const {refused} = await fuzz((tensors, random) => {
		const name = random.pick([...tensors.keys()]);
		const {dtype, shape: before, data} = tensors.get(name)!;
		const sizes = before.map(size => random.pick([size, size + 1, size * 2, size - 1, 0, 8]));
		const elements = sizes.reduce((product, size) => product * size, 1);
		const bytes = dtype === 'I32' ? 4 : 2;
		const changed = new Uint8Array(elements * bytes).map((_, i) => data[i % data.length]!);
		return encodeSafetensors(new Map(tensors).set(name, {dtype, shape: sizes, data: changed}));
	});
	expect(refused).toBeGreaterThan(cases / 2);
});
