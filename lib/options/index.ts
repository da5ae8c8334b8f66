export {type DeviceName, deviceName} from './device.js';
export {
	type CacheTypeName,
	cacheTypes,
	checkLoadOptions,
	type Isolation,
	type LoaderName,
	type LoadOptions,
	type LoadProgress,
	parseLoadOptions,
	type ResolvedLoadOptions,
	threadCount,
} from './load.js';
export {describe, parseArgument, parseOptions} from './parse.js';
export {callback, integer, named, numberWhere, oneOf, optionsOf, trueOrFalse} from './schemas.js';
export {abortSignal, onlySignal, type SignalOptions} from './signal.js';
