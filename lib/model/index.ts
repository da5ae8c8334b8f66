export {type DeviceInfo, listDevices} from './devices.js';
export {type CacheSize, inspectModel, type ModelInfo} from './inspect.js';
export type {WeightKindInfo} from './inspect-weights.js';
export {loadModel} from './load.js';
export {Model, type Prompt} from './model.js';
export type {ScoreResult} from './score.js';
