// What users reach as `memory`.
export {type LeakReport, off, on} from './leak.js';
export {metrics} from './metrics.js';
export {trackStacks} from './resource.js';
export {type Scope, scope} from './scope.js';
export {liveBuffers, snapshot, trim} from './snapshot.js';
export {table} from './table.js';
export {type WatchOptions, watch} from './watch.js';
