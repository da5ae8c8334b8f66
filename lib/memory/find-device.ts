import {ExlError} from '../errors/index.js';
import {log} from '../log/index.js';
import {type BackendInfo, findBackends} from '../native/index.js';
import {type DeviceName, deviceName, parseArgument} from '../options/index.js';
import {Device, type DeviceKind} from './device.js';

export type DeviceChoice = {
	readonly kind: DeviceKind;
	/** Why this one: a clause for people. */
	readonly why: string;
};

/**
The device that stands behind a name.

@throws {ExlError} `EXL_DEVICE_UNAVAILABLE`, saying why it cannot be used.
*/
export function chooseDevice(name: DeviceName): DeviceChoice {
	const asked = `'${name}' was asked for`;
	if (name === 'cpu' || name === 'reference') return {kind: name, why: asked};
	const open = Device.all().find(({kind}) => kind === name);
	if (open) return {kind: open.kind, why: asked};
	const [kind, number] = (name === 'auto' ? 'cuda' : name).split(':') as ['cuda' | 'emulator', string?];
	const {devices, reason} = acceleratorsOf(kind);
	const index = number === undefined ? devices.findIndex(({usable}) => usable) : Number(number);
	if (devices[index]?.usable) {
		const first = number === undefined ? ', which takes the first that can be used' : '';
		return {kind: `${kind}:${index}`, why: `${asked}${first}`};
	}
	const reasons = reason || devices[Math.max(index, 0)]?.reason || `there are ${devices.length}, numbered from 0`;
	if (name !== 'auto') {
		throw new ExlError('EXL_DEVICE_UNAVAILABLE', `${name} cannot be used: ${reasons}; use device 'auto' or 'cpu'`);
	}
	const why = `'auto' takes the CPU: ${reasons}`;
	log('device', 'info', () => why);
	return {kind: 'cpu', why};
}

/** `chooseDevice()`, without the reason. */
export function resolveDevice(name: DeviceName): DeviceKind {
	return chooseDevice(name).kind;
}

/** Takes a share in the device of that name. @throws {ExlError} `EXL_INVALID_ARGUMENT`, `EXL_DEVICE_UNAVAILABLE`. */
export function openDevice(name: DeviceName): Device {
	return Device.acquire(resolveDevice(parseArgument(deviceName, name, 'device', 'the device')));
}

/** The devices of a kind, by index; if there are none, why. */
export function acceleratorsOf(
	kind: string,
	backends: readonly BackendInfo[] = findBackends(),
): Pick<BackendInfo, 'devices' | 'reason'> {
	const found = backends.find(backend => backend.kind === kind);
	if (found) return found;
	const failed = backends.filter(({reason}) => reason !== '').map(({path, reason}) => `${path}: ${reason}`);
	return {devices: [], reason: [`this build has no ${kind} backend`, ...failed].join('; ')};
}
