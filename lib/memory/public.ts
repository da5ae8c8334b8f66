// What users reach as `memory`.
export {liveBuffers, snapshot} from './snapshot.js';
export {table} from './table.js';
