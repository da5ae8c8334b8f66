import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {afterEach, describe, expect, it} from 'vitest';
import {ExlError, errorCodes} from '../../lib/errors/index.js';
import {Device, type DeviceKind} from '../../lib/memory/index.js';
import {loadModel} from '../../lib/model/index.js';
import {addon, type NativeHandle, plainSource, type WeightSource} from '../../lib/native/index.js';
import {temporaryDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';
import {packExl2, packGptq} from '../support/quantize.js';
import {type Random, seededRandom} from '../support/random.js';
import {encodeSafetensors, type Tensor} from '../support/safetensors.js';
import {tinyModel, writeTinyModel} from '../support/tiny-model.js';

// Damage of every kind, seeded. Each case must be refused with an `ExlError` or run to its end; nothing may crash, hang
// or stay allocated. Kinds of damage the readers of lib/weights would notice are tried on the native side all the same.

const matrixCases = 10_000;
const modelCases = 400;
const inFeatures = 64;
const outFeatures = 40;

keepDevicesOpen();
afterEach(expectNothingHeld);

const codes = new Set(Object.keys(errorCodes));
const serious = new Set(['EXL_INTERNAL', 'EXL_DISPOSED', 'EXL_DEVICE_LOST']);

/** What a case came to. Anything but an orderly refusal fails the test. */
function refusal(error: unknown, what: string): string {
	if (!(error instanceof ExlError)) throw new Error(`${what}: ${String(error)}`, {cause: error});
	expect(codes, what).toContain(error.code);
	if (serious.has(error.code)) throw new Error(`${what}: ${error.code} ${error.message}`, {cause: error});
	return error.code;
}

type Changeable = Record<string, unknown>;

function data(tensors: ReadonlyMap<string, Tensor>, name: string): Uint8Array {
	return tensors.get(`linear.${name}`)!.data.slice();
}

function exl2Source(seed: number): WeightSource {
	const groups = [8, 5].map(bits => ({bits, rows: 32}));
	const {tensors} = packExl2({outFeatures, groups, seed});
	const inverse = new Int32Array(data(tensors, 'q_invperm').buffer);
	const permutation = new Int32Array(inFeatures);
	for (const [feature, row] of inverse.entries()) permutation[row] = feature;
	const maxima = new Uint16Array(data(tensors, 'q_scale_max').buffer);
	const pairs = Int32Array.from(groups.flatMap(({bits, rows}) => [bits, rows]));
	return {
		format: 'exl2',
		shape: [outFeatures, inFeatures],
		pieces: {
			codes: {dtype: 'I32', shape: [13, outFeatures], data: data(tensors, 'q_weight')},
			scales: {dtype: 'I32', shape: [2, outFeatures / 8], data: data(tensors, 'q_scale')},
			maxima: {dtype: 'F16', shape: [2], data: maxima},
			groups: {dtype: 'I32', shape: [2, 2], data: pairs},
			permutation: {dtype: 'I32', shape: [inFeatures], data: permutation},
		},
	};
}

function gptqSource(seed: number): WeightSource {
	const {tensors} = packGptq({inFeatures, outFeatures, groupSize: 16, seed});
	const groups = Int32Array.of(4, 16, 4, 16, 4, 16, 4, 16);
	return {
		format: 'gptq',
		shape: [outFeatures, inFeatures],
		pieces: {
			codes: {dtype: 'I32', shape: [inFeatures / 8, outFeatures], data: data(tensors, 'qweight')},
			scales: {dtype: 'F16', shape: [4, outFeatures], data: data(tensors, 'scales')},
			zeros: {dtype: 'I32', shape: [4, outFeatures / 8], data: data(tensors, 'qzeros')},
			groups: {dtype: 'I32', shape: [4, 2], data: groups},
			order: {dtype: 'I32', shape: [inFeatures], data: seededRandom(seed).permutation(inFeatures)},
		},
		numbers: {zeroOffset: 1},
	};
}

function floatSource(seed: number): WeightSource {
	const random = seededRandom(seed);
	const values = Float32Array.from({length: inFeatures * outFeatures}, () => random.next() - 0.5);
	return plainSource({dtype: 'F32', shape: [outFeatures, inFeatures], data: new Uint8Array(values.buffer)});
}

const strange = [
	-1,
	0,
	1,
	7,
	8,
	31,
	33,
	63,
	65,
	1.5,
	2 ** 24,
	2 ** 31,
	2 ** 32 + 8,
	2 ** 53,
	-(2 ** 31),
	Number.NaN,
	Infinity,
];
const foreign = ['', '64', null, undefined, true, {}, [], new Float64Array(3), 'F64', () => {}];

function damageInts(values: Int32Array | Uint16Array, random: Random): typeof values {
	const copy = values.slice();
	const at = random.int(copy.length);
	const int = () => random.pick([-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 31, 33, 64, 2 ** 30, -(2 ** 31), 2 ** 31 - 1]);
	const kinds = [
		() => copy.fill(int(), at, at + 1),
		() => copy.fill(copy[random.int(copy.length)]!, at, at + 1),
		() => copy.fill(copy[at]! ^ (1 << random.int(16)), at, at + 1),
		() => copy.slice(0, at),
		() => copy.slice(at),
		() => copy.subarray(at, at + 2),
		() => Int32Array.from([...copy, int(), int()]) as typeof copy,
		() => copy.reverse(),
	];
	return random.pick(kinds)();
}

function damageBytes(bytes: Uint8Array, random: Random): Uint8Array {
	const copy = bytes.slice();
	const at = random.int(copy.length);
	const kinds = [
		() => copy.subarray(0, at),
		() => copy.subarray(at),
		() => Uint8Array.from([...copy, ...copy.subarray(0, random.pick([1, 4, 32]))]),
		() => copy.fill(random.pick([0, 0x7c, 0xff]), at, at + 8),
		() => copy.fill(copy[at]! ^ (1 << random.int(8)), at, at + 1),
		() => copy.map(() => random.int(256)),
	];
	return random.pick(kinds)();
}

/** Damages one thing, wherever it lies, of any kind. */
function damage(source: WeightSource, random: Random): void {
	const changed = source as unknown as Changeable;
	const parts = Object.keys(changed);
	const part = random.pick(parts);
	const value = changed[part];
	if (random.int(12) === 0) {
		changed[part] = random.pick([...foreign, ...strange]);
		if (random.int(4) === 0) delete changed[part];
	} else if (value instanceof Uint8Array) {
		changed[part] = damageBytes(value, random);
	} else if (value instanceof Int32Array || value instanceof Uint16Array) {
		changed[part] = damageInts(value, random);
	} else if (Array.isArray(value)) {
		const shapes = [
			[],
			[outFeatures],
			[inFeatures, outFeatures],
			[2 ** 40, 2 ** 40],
			[-40, -64],
			[40, 64, 1],
			[1.5, 2],
		];
		changed[part] = random.pick([...shapes, [random.pick(strange), inFeatures]]);
	} else if (typeof value === 'object' && value !== null) {
		const inner = {...value} as unknown as WeightSource;
		changed[part] = inner;
		damage(inner, random);
	} else if (typeof value === 'number') {
		changed[part] = random.pick(strange);
	} else {
		changed[part] = random.pick(['exl2', 'gptq', 'float', 'F32', 'F16', 'BF16', 'I8', '']);
	}
	if (random.int(20) === 0)
		changed['data'] = {file: random.pick(['/nowhere', __filename, __dirname]), offset: 8, length: 64};
}

/** A product with a damaged matrix, or the code it was refused with. */
async function multiply(
	source: WeightSource,
	{id: device}: Device,
	rows: number,
	what: string,
): Promise<string | number[]> {
	const native = addon();
	const held: NativeHandle[] = [];
	const hold = (handle: NativeHandle) => {
		held.push(handle);
		return handle;
	};
	try {
		const weight = hold(await native.loadWeight(device, null, source, 'damaged', 'fuzz'));
		const {shape} = source;
		const [columns, width] = shape as [number, number];
		const random = seededRandom(rows);
		const x = Float64Array.from({length: rows * width}, () => random.next() - 0.5);
		const input = hold(native.createTensor(device, x, [rows, width], 'fuzz'));
		const output = hold(native.createTensor(device, null, [rows, columns], 'fuzz'));
		const inputs = [{shape: [rows, width], tensor: input}, {shape, weight}, null];
		const linear = {
			op: 'linear',
			path: 'damaged',
			attributes: {},
			inputs,
			outputs: [{shape: [rows, columns], tensor: output}],
		};
		const limits = {maxRows: rows, maxOutputs: 1, maxSequences: 1, pagesPerSequence: 0, threads: 1};
		const recorded = {...limits, values: [], ops: [linear], results: new Int32Array(0)};
		const program = hold(await native.compile(device, recorded, 'fuzz'));
		await native.step(device, program, {});
		return [...(await native.readTensor(device, output))];
	} catch (error) {
		return refusal(error, what);
	} finally {
		for (const handle of held) native.release(handle);
	}
}

describe('matrices', () => {
	const makers = {exl2: exl2Source, gptq: gptqSource, float: floatSource};

	it.each(Object.entries(makers))('of %s', async (name, make) => {
		const outcomes = new Map<string, number>();
		// Kept open, so that not every case starts an engine of its own.
		const [cpu, reference] = [Device.acquire('cpu'), Device.acquire('reference')];
		for (let i = 0; i < Math.ceil(matrixCases / 3); i++) {
			const random = seededRandom(i);
			const source: WeightSource = {...make(i)};
			for (let n = 1 + random.int(2); n > 0; n--) damage(source, random);
			const rows = 1 + random.int(9);

			const what = `${name} ${i}`;
			const tested = await multiply(source, cpu, rows, what);
			const exact = await multiply(source, reference, rows, what);
			const outcome = typeof tested === 'string' ? tested : 'ran';
			outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
			if (typeof tested === 'string' || typeof exact === 'string') {
				expect(tested, what).toEqual(exact);
			} else if (exact.every(value => Math.abs(value) < 1e4)) {
				const size = Math.hypot(...exact) + 1e-6;
				expect(Math.hypot(...exact.map((value, n) => value - tested[n]!)) / size, what).toBeLessThan(2e-3);
			}
		}
		for (const device of [cpu, reference]) await device.release();
		expect(outcomes.get('ran')).toBeGreaterThan(matrixCases / 100);
		expect(outcomes.get('EXL_INVALID_ARGUMENT')).toBeGreaterThan(matrixCases / 60);
		expect(outcomes.get('EXL_FORMAT_INVALID')).toBeGreaterThan(matrixCases / 60);
	});
});

describe('model directories', () => {
	const models = [
		tinyModel({layers: 1}),
		tinyModel({layers: 1, format: 'exl2'}),
		tinyModel({layers: 1, format: 'gptq'}),
	];
	it('whose files are damaged', async () => {
		const directories: string[] = [];
		for (const model of models) directories.push(await writeTinyModel(model));
		const outcomes = new Map<string, number>();
		for (let i = 0; i < modelCases; i++) {
			const random = seededRandom(i);
			const which = random.int(models.length);
			const directory = directories[which]!;
			const {config, tensors} = models[which]!;
			const files = {
				'config.json': Buffer.from(JSON.stringify(config)),
				'model.safetensors': encodeSafetensors(tensors),
			};
			const name = random.pick(Object.keys(files)) as keyof typeof files;
			await writeFile(join(directory, name), damageFile(files[name], random));
			const outcome = await use(directory, random.pick(['cpu', 'reference']), `model ${i}`);
			outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
			expectNothingHeld();
			await writeFile(join(directory, name), files[name]);
		}
		for (const code of ['ran', 'EXL_FORMAT_INVALID', 'EXL_MODEL_INVALID']) {
			expect(outcomes.get(code), code).toBeGreaterThan(modelCases / 40);
		}
	});

	function damageFile(bytes: Buffer, random: Random): Buffer {
		const headerBytes = bytes[0] === 0x7b ? bytes.length : 8 + Number(bytes.readBigUInt64LE());
		const copy = Buffer.from(bytes);
		const region = random.int(2) === 0 ? headerBytes : bytes.length;
		const kind = random.int(4);
		if (kind === 0) return copy.subarray(0, random.int(region));
		for (let n = kind === 1 ? 1 : 1 + random.int(6); n > 0; n--) {
			const at = random.int(region);
			const digit = copy[at]! >= 0x30 && copy[at]! <= 0x39;
			copy[at] = digit && random.int(2) === 0 ? 0x30 + random.int(10) : copy[at]! ^ (1 << random.int(8));
		}
		return copy;
	}

	async function use(directory: string, device: DeviceKind, what: string): Promise<string> {
		try {
			await using model = await loadModel(directory, {device, threads: 1, cache: {tokens: 64}});
			const {tokenIds} = await model.complete([1, 2, 3], {maxTokens: 4, seed: 1, stop: []});
			expect(tokenIds.length).toBeLessThanOrEqual(4);
			for (const id of tokenIds) expect(id).toBeLessThan(96);
			return 'ran';
		} catch (error) {
			return refusal(error, what);
		}
	}
});

describe('weights that are no numbers', () => {
	const vocabulary = 500;

	it.each(['cpu', 'reference'] as const)('end in some token, or in an error that says so, on %s', async device => {
		const model = tinyModel({layers: 1, vocabulary});
		const directory = await temporaryDirectory();
		for (let i = 0; i < 40; i++) {
			const random = seededRandom(i);
			const head = new Float32Array(model.tensors.get('lm_head.weight')!.data.slice().buffer);
			const wrong = random.pick([Number.NaN, Infinity, -Infinity, 3e38, -3e38]);
			for (let n = 0; n < vocabulary; n++) {
				if (random.next() < 0.5) head.fill(random.pick([wrong, Number.NaN, 1e30]), n * 64, n * 64 + 1);
			}
			const tensors = new Map(model.tensors);
			tensors.set('lm_head.weight', {...tensors.get('lm_head.weight')!, data: new Uint8Array(head.buffer)});
			await writeTinyModel({...model, tensors}, directory);
			await using loaded = await loadModel(directory, {device, threads: 1, cache: {tokens: 64}});
			for (const options of [{temperature: 0}, {temperature: 1, topK: 0, topP: 1}, {topK: 5, minP: 0.1}, {}]) {
				const outcome = await loaded.complete([1, 2, 3], {maxTokens: 4, seed: i, ...options}).catch(error => error);
				if (outcome instanceof Error) expect(outcome).toMatchObject({code: 'EXL_MODEL_INVALID'});
				else for (const id of outcome.tokenIds) expect(id).toBeLessThan(vocabulary);
			}
		}
	});
});
