export type {ChatMessage, TextPart} from './chat/index.js';
export {KvCache, type KvCacheOptions, ops, QuantMatrix, Tensor, type TensorOptions} from './eager/index.js';
export {type ErrorCode, ExlError, isExlError} from './errors/index.js';
export type {Chunk, FinishReason, GenerateResult, Generation, Timings} from './generator/index.js';
export {loadModel, type Model} from './isolate/index.js';
export type {Logger} from './log/index.js';
export type {DeviceMemory, LiveBuffer, MemorySnapshot} from './memory/index.js';
export * as memory from './memory/public.js';
export {
	type BackendCandidate,
	type CacheSize,
	type CacheSizes,
	type DeviceInfo,
	type Diagnostics,
	inspectModel,
	listBackends,
	listDevices,
	type ModelInfo,
	type Prompt,
	type ScoreResult,
	type SystemInfo,
	systemInfo,
	type WeightKindInfo,
} from './model/index.js';
export {
	type CacheTypeName,
	checkLoadOptions,
	type DeviceName,
	type Isolation,
	type LoadOptions,
	type LoadProgress,
} from './options/index.js';
export {checkGenerateOptions, type Filter, type GenerateOptions} from './sampling/index.js';
export type {DecodeOptions, EncodeOptions, Tokenizer} from './tokenizer/index.js';
