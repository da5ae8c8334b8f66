export type * from './addon.js';
export {backendPlace, findBackends} from './backends.js';
export {addon, packageRoot} from './load.js';
export type * from './weight-source.js';
