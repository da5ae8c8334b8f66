import {afterAll, beforeAll, expect} from 'vitest';
import {Device, liveBuffers, snapshot} from '../../lib/memory/index.js';

/** Keeps both devices open while the tests of this file run: what is left on a closed one cannot be seen. */
export function keepDevicesOpen(): void {
	let devices: Device[] = [];
	beforeAll(() => {
		devices = [Device.acquire('cpu'), Device.acquire('reference')];
	});
	afterAll(async () => {
		for (const device of devices) await device.release();
	});
}

/** Expects every device of this thread to hold nothing at all. */
export function expectNothingHeld(): void {
	expect(liveBuffers()).toEqual([]);
	for (const [device, memory] of Object.entries(snapshot().devices)) {
		const {allocated, reserved, byKind, buffers} = memory;
		const held = {allocated, reserved, buffers, ...byKind};
		expect(held, device).toEqual({
			allocated: 0,
			reserved: 0,
			buffers: 0,
			weights: 0,
			cache: 0,
			activations: 0,
			staging: 0,
		});
	}
}
