export {
	type CacheTypeName,
	cacheTypes,
	type DeviceName,
	type Isolation,
	type LoaderName,
	type LoadOptions,
	type LoadProgress,
	parseLoadOptions,
	type ResolvedLoadOptions,
} from './load.js';
export {abortSignal, describe, integer, numberWhere, parseOptions} from './parse.js';
