import {arch, cpus, freemem, totalmem} from 'node:os';
import {ExlError, isExlError} from '../errors/index.js';
import type {DeviceKind} from '../memory/index.js';
import {addon} from '../native/index.js';
import type {DeviceName} from '../options/index.js';

export type DeviceInfo = {
	/** What `loadModel({device})` takes. */
	readonly id: string;
	readonly kind: 'cpu' | 'cuda' | 'reference';
	readonly name: string;
	readonly totalBytes: number;
	readonly freeBytes: number;
	readonly usable: boolean;
	/** Why it is not usable. */
	readonly reason?: string;
};

const noCuda = 'this build has no CUDA backend';

/** Every device there is, usable or not. Never throws because one is missing. */
export function listDevices(): DeviceInfo[] {
	const memory = {totalBytes: totalmem(), freeBytes: freemem()};
	const cpu = {id: 'cpu', kind: 'cpu', name: `${cpus()[0]?.model.trim() ?? arch()}`, ...memory} as const;
	const reference = {id: 'reference', kind: 'reference', name: 'double-precision oracle', ...memory} as const;
	const cuda = {id: 'cuda', kind: 'cuda', name: 'NVIDIA GPU', totalBytes: 0, freeBytes: 0} as const;
	try {
		const target = addon().cpuTarget();
		return [
			{...cpu, name: `${cpu.name} (${target})`, usable: true},
			{...cuda, usable: false, reason: noCuda},
			{...reference, usable: true},
		];
	} catch (error) {
		if (!isExlError(error)) throw error;
		return [cpu, cuda, reference].map(device => ({...device, usable: false, reason: error.message}));
	}
}

/**
The device that stands behind a name.

@throws {ExlError} `EXL_DEVICE_UNAVAILABLE`.
*/
export function resolveDevice(name: DeviceName): DeviceKind {
	if (name === 'auto' || name === 'cpu') return 'cpu';
	if (name === 'reference') return 'reference';
	throw new ExlError('EXL_DEVICE_UNAVAILABLE', `${name} cannot be used: ${noCuda}; use device 'auto' or 'cpu'`);
}
