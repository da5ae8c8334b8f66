export {type BackendCandidate, type DeviceInfo, listBackends, listDevices} from './devices.js';
export {type GeneratorSnapshot, GeneratorView, type JobInfo, type ObserveOptions} from './generator-view.js';
export {inspectModel, type ModelInfo} from './inspect.js';
export type {CacheSize, CacheSizes} from './inspect-cache.js';
export type {WeightKindInfo} from './inspect-weights.js';
export {loadModel, resolveLoadOptions} from './load.js';
export {Model} from './model.js';
export {encodeChat, encodePrompt, type Prompt} from './prompt.js';
export type {ScoreResult} from './score.js';
