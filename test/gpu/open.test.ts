import {expect, it} from 'vitest';
import {Device, resolveDevice} from '../../lib/memory/index.js';
import {listDevices} from '../../lib/model/index.js';
import {embed, linear} from '../../lib/ops/index.js';
import {compute} from '../conformance/harness.js';
import {floatWeight, normal, quantSource, range} from '../conformance/inputs.js';
import {describeOnDevice} from '../support/device.js';
import {relativeError} from '../support/error.js';
import {expectNothingHeld} from '../support/memory.js';
import {packExl2} from '../support/quantize.js';

describeOnDevice('a device', device => {
	const kind = resolveDevice(device);

	it('is listed with its memory, and can be used', () => {
		const found = listDevices().find(({id}) => id === kind);
		expect(found).toMatchObject({usable: true});
		expect(found!.freeBytes).toBeGreaterThan(0);
		expect(found!.freeBytes).toBeLessThanOrEqual(found!.totalBytes);
	});

	it('is opened, closed and opened again, and runs a kernel each time', async () => {
		const table = normal([11, 64], 1, {half: true});
		for (let i = 0; i < 3; i++) {
			const opened = Device.acquire(kind);
			const values = await compute(
				{
					rows: 3,
					weights: {table: floatWeight(table, 'F16').source},
					slots: {tokens: Int32Array.of(0, 10, i), positions: range(3)},
					record: ({recorder, weight}) => embed(recorder, weight('table')),
					tolerance: () => 0,
				},
				kind,
			);
			await opened.release();
			expect([...values.slice(128)]).toEqual([...table.values.slice(64 * i, 64 * i + 64)]);
			expectNothingHeld();
		}
	});

	it('repacks one matrix and multiplies by it', async () => {
		const packed = packExl2({
			outFeatures: 96,
			groups: [
				{bits: 5, rows: 128},
				{bits: 4, rows: 128},
			],
		});
		const used = {
			tensors: {x: normal([2, 256], 3, {half: true})},
			weights: {w: await quantSource(packed)},
			record: ({tensor, weight}: Parameters<Parameters<typeof compute>[0]['record']>[0]) =>
				linear(tensor('x'), {weight: weight('w')}),
			tolerance: () => 0,
		};
		const [found, expected] = [await compute(used, kind), await compute(used, 'reference')];
		expect(relativeError(found, expected)).toBeLessThan(2 ** -10);
	});

	it('leaves nothing behind', expectNothingHeld);
});
