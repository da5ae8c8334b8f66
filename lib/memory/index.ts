export {Device, type DeviceKind} from './device.js';
export {Handle} from './handle.js';
export {type DeviceMemory, type LiveBuffer, liveBuffers, type MemorySnapshot, snapshot} from './snapshot.js';
export {table} from './table.js';
