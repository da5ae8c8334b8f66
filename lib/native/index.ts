export type * from './addon.js';
export {backendPlace, findBackends} from './backends.js';
export {glibcVersion, packageRoot} from './find.js';
export {addon, loadedFile} from './load.js';
export * from './weight-source.js';
