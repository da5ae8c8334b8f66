export {Device, type DeviceKind} from './device.js';
export {acceleratorsOf, openDevice, resolveDevice} from './find-device.js';
export {Handle} from './handle.js';
export {Holding} from './holding.js';
export {logMemory} from './log.js';
export {
	type DeviceMemory,
	type LiveBuffer,
	liveBuffers,
	type MemorySnapshot,
	ownedBytes,
	snapshot,
} from './snapshot.js';
export {table} from './table.js';
