import {setTimeout as sleep} from 'node:timers/promises';
import {describe, expect, it} from 'vitest';
import {Tensor} from '../../lib/eager/index.js';
import {Device, Handle, liveBuffers, snapshot, table} from '../../lib/memory/index.js';
import {formatBytes, formatTable} from '../../lib/memory/table.js';
import {addon} from '../../lib/native/index.js';
import {expectNothingHeld} from '../support/memory.js';

const size = {layers: 2, pages: 3, keyHeads: 2, dim: 8};
const layerBytes = {cpu: 3 * 256 * 2 * 8 * 2, reference: 3 * 256 * 2 * 8 * 8};

describe('table()', () => {
	const totals = {reserved: 8192, peak: 9000, byKind: {weights: 0, cache: 0, activations: 0, staging: 0}};
	const buffer = (owner: string, bytes: number, kind: 'weights' | 'cache', device = 'cpu') => ({
		id: bytes,
		device,
		kind,
		label: 'any',
		owner,
		bytes,
		ageMs: 1,
	});

	it('groups by owner and kind, and adds up', () => {
		const devices = {
			cpu: {...totals, allocated: 1_234_567, buffers: 3},
			reference: {...totals, allocated: 8, buffers: 1},
		};
		const buffers = [
			buffer('model#1', 1_000_000, 'weights'),
			buffer('model#1 > cache', 4567, 'cache'),
			buffer('model#1', 230_000, 'weights'),
			buffer('model#2', 8, 'weights', 'reference'),
		];
		const text = formatTable({devices, process: {rss: 12_345_678}}, buffers);
		expect(text.split('\n')).toEqual([
			'device     owner            kind     buffers       bytes',
			'cpu        model#1          weights        2   1,230,000',
			'cpu        model#1 > cache  cache          1       4,567',
			'reference  model#2          weights        1           8',
			'cpu        total                           3   1,234,567',
			'reference  total                           1           8',
			'process    resident                           12,345,678',
		]);
	});

	it('shows a device that holds nothing', () => {
		const lines = table().split('\n');
		expect(lines).toHaveLength(3);
		expect(lines[1]).toMatch(/^cpu +total +0 +0$/);
		expect(lines[2]).toMatch(/^process +resident +[\d,]+$/);
	});

	it('writes bytes so that they can be read', () => {
		expect([0, 999, 1000, 2 ** 40].map(formatBytes)).toEqual(['0', '999', '1,000', '1,099,511,627,776']);
	});
});

describe.each(['cpu', 'reference'] as const)('the ledger of %s', kind => {
	it('has every buffer, by owner, until it is released', async () => {
		const device = Device.acquire(kind);
		const cache = new Handle(addon().createCache(device.id, size, 'mine'), 'cache');
		const tensor = new Handle(addon().createTensor(device.id, Float64Array.of(1, 2, 3), [3], 'yours'), 'tensor');
		const buffers = liveBuffers();
		expect(buffers.map(({label, owner, kind, device, bytes}) => ({label, owner, kind, device, bytes}))).toEqual([
			...['layers.0.keys', 'layers.0.values', 'layers.1.keys', 'layers.1.values'].map(label => ({
				label,
				owner: 'mine',
				kind: 'cache',
				device: kind,
				bytes: layerBytes[kind],
			})),
			{label: 'tensor', owner: 'yours', kind: 'activations', device: kind, bytes: kind === 'cpu' ? 12 : 24},
		]);
		expect(new Set(buffers.map(({id}) => id)).size).toBe(5);
		const {allocated, byKind, buffers: count, peak, reserved} = snapshot().devices[kind]!;
		expect(allocated).toBe(4 * layerBytes[kind] + buffers[4]!.bytes);
		expect(byKind).toEqual({cache: 4 * layerBytes[kind], activations: buffers[4]!.bytes, weights: 0, staging: 0});
		expect([count, peak]).toEqual([5, allocated]);
		expect(reserved).toBeGreaterThanOrEqual(allocated);
		expect(table()).toMatch(
			new RegExp(`^${kind} +mine +cache +4 +${(4 * layerBytes[kind]).toLocaleString('en-US')}$`, 'm'),
		);

		await sleep(20);
		for (const {ageMs} of liveBuffers()) expect(ageMs).toBeGreaterThanOrEqual(19);

		cache.release();
		cache.release();
		expect(liveBuffers().map(({owner}) => owner)).toEqual(['yours']);
		const after = snapshot().devices[kind]!;
		expect([after.allocated, after.peak]).toEqual([buffers[4]!.bytes, peak]);
		tensor.release();
		await device.release();
		expectNothingHeld();
	});

	it('is that of one device however many users it has', async () => {
		const [first, second] = [Device.acquire(kind), Device.acquire(kind)];
		expect(second).toBe(first);
		const cache = new Handle(addon().createCache(first.id, size, 'mine'), 'cache');
		await first.release();
		expect(snapshot().devices[kind]!.buffers).toBe(4);
		cache.release();
		await second.release();
		expect(Device.all()).toEqual([]);
		expect(() => addon().totals(first.id)).toThrow(expect.objectContaining({code: 'EXL_DISPOSED'}));
		const again = Device.acquire(kind);
		expect(again).not.toBe(first);
		await again.release();
	});

	it('holds nothing for what does not fit', async () => {
		const device = Device.acquire(kind);
		for (const wrong of [
			{pages: 0},
			{pages: -1},
			{layers: 0},
			{keyHeads: 1e6},
			{dim: 257},
			{dim: 1.5},
			{pages: 2 ** 40},
		]) {
			const make = () => addon().createCache(device.id, {...size, ...wrong}, 'wrong');
			expect(make, JSON.stringify(wrong)).toThrow(expect.objectContaining({code: 'EXL_INVALID_ARGUMENT'}));
		}
		// More than there is address space for.
		const huge = () => addon().createCache(device.id, {layers: 4096, pages: 2 ** 24, keyHeads: 4096, dim: 256}, 'huge');
		const message = expect.stringMatching(
			/^(no memory for \d+ bytes of cache|a cache of \d+ tokens takes \d+ MiB, \d+ are available); use /,
		);
		expect(huge).toThrow(expect.objectContaining({code: 'EXL_OUT_OF_MEMORY', message}));
		expectNothingHeld();
		await device.release();
	});
});

describe('a handle', () => {
	it('says what was used too late', async () => {
		const device = Device.acquire('cpu');
		const handle = new Handle(addon().createCache(device.id, size, 'mine'), 'model#3 > cache');
		expect(handle.id).toBeGreaterThan(0);
		handle.release();
		const message = 'model#3 > cache was used after dispose()';
		expect(() => handle.id).toThrow(expect.objectContaining({code: 'EXL_DISPOSED', message}));
		await device.release();
	});
});

// The engine thread still has its command when it answers; one time in thousands it is slower than who hears of it.
it('is gone at once when its owner is disposed of after an answer', async () => {
	using other = Tensor.from([1], [1]);
	expect(other.shape).toEqual([1]);
	for (let i = 0; i < 20_000; i++) {
		const tensor = Tensor.from([1, 2, 3], [3]);
		await tensor.read();
		tensor.dispose();
		if (liveBuffers().length !== 1) expect(liveBuffers(), `round ${i}`).toHaveLength(1);
	}
});
