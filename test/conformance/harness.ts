import {basename} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {Tensor} from '../../lib/eager/index.js';
import {type Once, runOnce} from '../../lib/eager/run.js';
import {Device, type DeviceKind, Handle, resolveDevice} from '../../lib/memory/index.js';
import {addon, plainSource, type Slots, type WeightSource} from '../../lib/native/index.js';
import type {CacheTypeName} from '../../lib/options/index.js';
import {CacheLayer, type Recorder, type Value, Weight, WeightStore} from '../../lib/program/index.js';
import {roundToHalf} from '../../lib/weights/half.js';
import {cpuTargets} from '../support/cpu-targets.js';
import {isQuick, testDevice} from '../support/device.js';
import {Digest} from '../support/digest.js';
import {emulatorLibrary} from '../support/emulator.js';
import {withEnvironment} from '../support/environment.js';
import {ulp16} from './inputs.js';

const smallestHalf = 2 ** -24;

/** Values, row-major, with their shape. */
export type Array64 = {readonly shape: readonly number[]; readonly values: Float64Array};

export type Cache = {
	readonly keyHeads: number;
	readonly headDim: number;
	readonly pages: number;
	/** @default 'fp16' */
	readonly type?: CacheTypeName;
};

/** What one case computes, on whatever backend. */
export type Case = {
	readonly tensors?: Readonly<Record<string, Array64>>;
	readonly weights?: Readonly<Record<string, WeightSource>>;
	readonly cache?: Cache;
	readonly rows?: number;
	readonly outputs?: number;
	/** Rows of the page table; the pages of the cache are shared out evenly. @default 1 */
	readonly sequences?: number;
	readonly slots?: Slots;
	readonly record: (operands: Operands) => Value;
	/** How far each element may be from the reference. */
	readonly tolerance: (index: number, expected: number) => number;
	/** What more it may be on a backend of halves, its result's own rounding left out. @default 0 */
	readonly toleranceOfHalves?: number;
	/** What the CUDA backend says if it cannot compute it: once it can, this has to go. */
	readonly refusedByCuda?: RegExp;
};

export type Operands = {
	readonly recorder: Recorder;
	readonly tensor: (name: string) => Value;
	readonly weight: (name: string) => Weight;
	readonly cache: CacheLayer;
};

/** A backend, and the environment in which a device of it is opened. */
type Backend = {
	readonly name: string;
	readonly device: DeviceKind;
	readonly environment: Readonly<Record<string, string>>;
	/** Whether it is that of CUDA, on a GPU or emulated, which rounds every value to a half. */
	readonly isCuda: boolean;
	/** Whether it has to give the bits of the one before. */
	readonly isAgain?: boolean;
};

/** Of the emulator: which launches overlap and how, when copies read. `npm run test:full` takes twenty. */
const seeds = Array.from({length: Number(process.env.EXL_EMULATOR_SEEDS ?? 2)}, (_, i) => i + 1);

/** All that this machine has, or the one that is asked for. */
const backends: readonly Backend[] = testDevice
	? [{name: testDevice, device: resolveDevice(testDevice), environment: {}, isCuda: true}]
	: [
			...cpuTargets.map(target => ({
				name: `cpu/${target}`,
				device: 'cpu' as const,
				environment: {EXL_CPU_TARGET: target},
				isCuda: false,
			})),
			...(emulatorLibrary === undefined
				? []
				: seeds.map(seed => ({
						name: seed === 1 ? 'emulator' : `emulator, seed ${seed}`,
						device: 'emulator:0' as const,
						environment: {EXL_BACKEND_PATH: emulatorLibrary!, EXL_FAKE_DRIVER: `seed=${seed}`},
						isCuda: true,
						isAgain: seed > 1,
					}))),
		];

/** Opening a GPU takes longer than most cases, so it stays open until another backend has its turn. */
let opened: {readonly backend: Backend; readonly device: Device} | undefined;

async function open(backend: Backend): Promise<void> {
	if (opened?.backend === backend) return;
	await close();
	opened = {backend, device: withEnvironment(backend.environment, () => Device.acquire(backend.device))};
}

async function close(): Promise<void> {
	const device = opened?.device;
	opened = undefined;
	await device?.release();
}

afterAll(close);

/** Runs every case, or every fifth of a quick run, on every backend and compares each with `reference`. */
export function conformance(op: string, cases: Readonly<Record<string, () => Case>>): void {
	describe(op, () => {
		const digest = new Digest(basename(expect.getState().testPath!, '.test.ts'));
		for (const [name, make] of Object.entries(cases).filter((_, i) => !isQuick || i % 5 === 0)) {
			test(name, async () => {
				const built = make();
				const expected = await compute(built, 'reference');
				const halves = backends.some(({isCuda}) => isCuda) ? inHalves(built) : built;
				const expectedOfHalves = halves === built ? expected : await compute(halves, 'reference');
				digest.add('reference', name, expected);
				let before: Float64Array | string | undefined;
				for (const backend of backends) {
					const [used, exact] = backend.isCuda ? [halves, expectedOfHalves] : [built, expected];
					await open(backend);
					try {
						const found = await check(used, exact, backend);
						if (backend.isAgain) expect(found, `${backend.name}: the bits of another seed`).toEqual(before);
						else digest.add(backend.name, name, found);
						before = found;
					} catch (error) {
						// A device that is lost fails no other case.
						await close();
						throw error;
					}
				}
			});
		}
		test.skipIf(testDevice)('gives the bits it gave', context => digest.check(context, op, Object.keys(cases).length));
	});
}

/** @returns What was computed, or that it was refused. */
async function check(used: Case, exact: Float64Array, {name, device, isCuda}: Backend): Promise<Float64Array | string> {
	if (isCuda && used.refusedByCuda) {
		const error = {code: 'EXL_UNSUPPORTED_OP', message: expect.stringMatching(used.refusedByCuda)};
		await expect(compute(used, device)).rejects.toMatchObject(error);
		return 'refused';
	}
	const values = await compute(used, device);
	compare(values, exact, used.tolerance, name);
	return values;
}

/** The same case for a backend of halves: of its inputs nothing is lost, of its results half a unit. */
function inHalves(built: Case): Case {
	const {tensors = {}, weights = {}, tolerance, toleranceOfHalves = 0} = built;
	const each = <T>(record: Readonly<Record<string, T>>, round: (value: T) => T) =>
		Object.fromEntries(Object.entries(record).map(([name, value]) => [name, round(value)]));
	return {
		...built,
		tensors: each(tensors, ({shape, values}) => ({shape, values: values.map(roundToHalf)})),
		weights: each(weights, weightInHalves),
		tolerance: (i, y) => tolerance(i, y) + toleranceOfHalves + ulp16 * Math.abs(y) + smallestHalf / 2,
	};
}

function weightInHalves(source: WeightSource): WeightSource {
	const {data} = source.pieces;
	if (data?.dtype !== 'F32' || !(data.data instanceof Uint8Array)) return source;
	const values = new Float32Array(Uint8Array.from(data.data).buffer).map(roundToHalf);
	return plainSource({...data, data: new Uint8Array(values.buffer)});
}

/** The value of one case on one device. */
export async function compute(
	{tensors = {}, weights = {}, cache, rows, outputs, sequences = 1, slots, record}: Case,
	kind: DeviceKind,
): Promise<Float64Array> {
	const device = Device.acquire(kind);
	const store = new WeightStore(device, 'test');
	const held: {dispose(): void}[] = [];
	const keep = <T extends {dispose(): void}>(object: T): T => {
		held.push(object);
		return object;
	};
	try {
		const named = Object.entries(weights).map(([name, source]) => [name, toWeight(name, source)] as const);
		await store.load(named.map(([, weight]) => weight));
		const inputs = Object.entries(tensors).map(([name, {values, shape}]) => {
			return [name, keep(Tensor.from(values, shape, {device: kind}))] as const;
		});
		const once: Once = {
			device,
			weights: store,
			...(cache && {cache: createCache(device, cache, keep)}),
			...(rows !== undefined && {rows}),
			...(outputs !== undefined && {outputs}),
			sequences,
			...(slots && {slots}),
			record: recorder =>
				record({
					recorder,
					tensor: name => new Map(inputs).get(name)!.operand(recorder),
					weight: name => new Map(named).get(name)!,
					cache: new CacheLayer(0, cache ? [cache.keyHeads, cache.headDim] : []),
				}),
		};
		const result = keep((await runOnce(once))!);
		return Float64Array.from(await result.read());
	} finally {
		for (const object of held) object.dispose();
		store.release();
		await device.release();
	}
}

function toWeight(name: string, source: WeightSource): Weight {
	return new Weight(name, source.shape, async () => source);
}

function createCache(device: Device, size: Cache, keep: (object: {dispose(): void}) => unknown) {
	const {keyHeads, headDim: dim, pages, type = 'fp16'} = size;
	const handle = new Handle(addon().createCache(device.id, {layers: 1, pages, keyHeads, dim, type}, 'test'), 'cache');
	keep({dispose: () => handle.release()});
	return {handle: handle.id, pages};
}

/** Fails with the worst element, both values and the tolerance. */
function compare(found: Float64Array, expected: Float64Array, tolerance: Case['tolerance'], backend: string): void {
	expect(found.length, backend).toBe(expected.length);
	let worst = {ratio: -1, index: -1};
	expected.forEach((value, index) => {
		const error = Math.abs(found[index]! - value);
		const ratio = error / tolerance(index, value);
		if (!(ratio <= worst.ratio)) worst = {ratio, index};
	});
	const {ratio, index} = worst;
	const evidence = `${backend}: element ${index} is ${found[index]}, expected ${expected[index]} within ${tolerance(index, expected[index]!)}`;
	expect(ratio <= 1, evidence).toBe(true);
}
