import {ExlError} from '../errors/index.js';
import {type BackendInfo, findBackends} from '../native/index.js';
import {type DeviceName, deviceName, parseArgument} from '../options/index.js';
import {Device, type DeviceKind} from './device.js';
import {logDevice} from './log.js';

/**
The device that stands behind a name.

@throws {ExlError} `EXL_DEVICE_UNAVAILABLE`, saying why it cannot be used.
*/
export function resolveDevice(name: DeviceName): DeviceKind {
	if (name === 'cpu' || name === 'reference') return name;
	const open = Device.all().find(({kind}) => kind === name);
	if (open) return open.kind;
	const [kind, number] = (name === 'auto' ? 'cuda' : name).split(':') as ['cuda' | 'emulator', string?];
	const {devices, reason} = acceleratorsOf(kind);
	const index = number === undefined ? devices.findIndex(({usable}) => usable) : Number(number);
	if (devices[index]?.usable) return `${kind}:${index}`;
	const why = reason || devices[Math.max(index, 0)]?.reason || `there are ${devices.length}, numbered from 0`;
	if (name !== 'auto') {
		throw new ExlError('EXL_DEVICE_UNAVAILABLE', `${name} cannot be used: ${why}; use device 'auto' or 'cpu'`);
	}
	logDevice(`'auto' takes the CPU: ${why}`);
	return 'cpu';
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
