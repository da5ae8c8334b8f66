export type * from './addon.js';
export {addon, packageRoot} from './load.js';
export type * from './weight-source.js';
