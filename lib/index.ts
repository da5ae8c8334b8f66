export type {PageStatistics} from './cache/index.js';
export type {ChatMessage, TextPart} from './chat/index.js';
export {KvCache, type KvCacheOptions, ops, QuantMatrix, Tensor, type TensorOptions} from './eager/index.js';
export {type ErrorCode, ExlError, type ExlErrorOptions, isExlError} from './errors/index.js';
export type {
	Chunk,
	FinishReason,
	GenerateResult,
	Generation,
	JobState,
	Speculation,
	Timings,
	TokenDetails,
} from './generator/index.js';
export {loadModel, type Model} from './isolate/index.js';
export type {Logger} from './log/index.js';
export type {DeviceKind, DeviceMemory, LiveBuffer, MemorySnapshot} from './memory/index.js';
export * as memory from './memory/public.js';
export {
	type BackendCandidate,
	type CacheSize,
	type CacheSizes,
	type DeviceInfo,
	type Diagnostics,
	type GeneratorSnapshot,
	type GeneratorView,
	inspectModel,
	type JobInfo,
	listBackends,
	listDevices,
	type ModelInfo,
	type ObserveOptions,
	type Prompt,
	type ScoreResult,
	type SystemInfo,
	systemInfo,
	type WeightKindInfo,
} from './model/index.js';
export type {NativeArray} from './native/index.js';
export type {AttentionOptions} from './ops/index.js';
export {
	type CacheTypeName,
	checkLoadOptions,
	type DeviceName,
	type Isolation,
	type LoaderName,
	type LoadOptions,
	type LoadProgress,
	type SignalOptions,
} from './options/index.js';
export {
	checkGenerateOptions,
	type DryOptions,
	type Filter,
	type GenerateOptions,
	type LogitsHook,
} from './sampling/index.js';
export type {DecodeOptions, EncodeOptions, Tokenizer} from './tokenizer/index.js';
