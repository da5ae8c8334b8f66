export {type AllowedTexts, allowedTexts, type Filter} from './filters.js';
export {
	checkGenerateOptions,
	type GenerateOptions,
	parseGenerateOptions,
	type ResolvedGenerateOptions,
} from './options.js';
export type {LogitsHook} from './output.js';
export type {DryOptions} from './penalties.js';
