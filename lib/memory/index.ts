export {Device, type DeviceKind} from './device.js';
export {acceleratorsOf, chooseDevice, type DeviceChoice, openDevice, resolveDevice} from './find-device.js';
export {Handle} from './handle.js';
export {Holding} from './holding.js';
export {
	type DeviceMemory,
	type LiveBuffer,
	liveBuffers,
	type MemorySnapshot,
	ownedBytes,
	snapshot,
} from './snapshot.js';
export {table} from './table.js';
