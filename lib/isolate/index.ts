export {loadModel} from './load.js';
export type {Model} from './model.js';
