export {type GenerateOptions, parseGenerateOptions, type ResolvedGenerateOptions} from './options.js';
