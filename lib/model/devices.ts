import {arch, cpus, freemem, totalmem} from 'node:os';
import {isExlError} from '../errors/index.js';
import {acceleratorsOf} from '../memory/index.js';
import {addon, type BackendInfo, findBackends} from '../native/index.js';

/** A device of this machine, whether it can be used or not. */
export type DeviceInfo = {
	/** What `loadModel({device})` takes. */
	readonly id: string;
	readonly kind: 'cpu' | 'cuda' | 'emulator' | 'reference';
	readonly name: string;
	readonly totalBytes: number;
	readonly freeBytes: number;
	readonly usable: boolean;
	/** Why it is not usable. */
	readonly reason?: string;
};

/** Every device there is, usable or not. Never throws because one is missing. */
export function listDevices(): DeviceInfo[] {
	const memory = {totalBytes: totalmem(), freeBytes: freemem()};
	const cpu = {id: 'cpu', kind: 'cpu', name: `${cpus()[0]?.model.trim() ?? arch()}`, ...memory} as const;
	const reference = {id: 'reference', kind: 'reference', name: 'double-precision oracle', ...memory} as const;
	try {
		const target = addon().cpuTarget();
		const backends = findBackends();
		const emulators = backends.some(({kind}) => kind === 'emulator') ? accelerators('emulator', backends) : [];
		return [
			{...cpu, name: `${cpu.name} (${target})`, usable: true},
			...accelerators('cuda', backends),
			...emulators,
			{...reference, usable: true},
		];
	} catch (error) {
		if (!isExlError(error)) throw error;
		return [cpu, noDevice('cuda'), reference].map(device => ({...device, usable: false, reason: error.message}));
	}
}

/** The devices of a kind or, if there are none, one that stands for them and says why. */
function accelerators(kind: 'cuda' | 'emulator', backends: readonly BackendInfo[]): DeviceInfo[] {
	const {devices, reason} = acceleratorsOf(kind, backends);
	if (devices.length === 0) return [{...noDevice(kind), usable: false, reason}];
	return devices.map(({reason: why, ...device}, index) => {
		const id = `${kind}:${index}`;
		return {id, kind, ...device, ...(why !== '' && {reason: why})};
	});
}

function noDevice(kind: 'cuda' | 'emulator') {
	return {id: kind, kind, name: kind === 'cuda' ? 'NVIDIA GPU' : 'emulator', totalBytes: 0, freeBytes: 0} as const;
}

/** A place where a backend was looked for, and what came of it. */
export type BackendCandidate = Pick<BackendInfo, 'path' | 'kind' | 'build' | 'reason'>;

/** For `doctor`. */
export function listBackends(): BackendCandidate[] {
	try {
		return findBackends().map(({path, kind, build, reason}) => ({
			path,
			...(kind !== undefined && {kind}),
			...(build !== undefined && {build}),
			reason,
		}));
	} catch (error) {
		if (!isExlError(error)) throw error;
		return [];
	}
}
