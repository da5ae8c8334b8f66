export {type DeviceInfo, listDevices} from './devices.js';
export {loadModel} from './load.js';
export {Model, type Prompt} from './model.js';
export type {ScoreResult} from './score.js';
