export {KvCache, type KvCacheOptions} from './kv-cache.js';
export * as ops from './ops.js';
export {QuantMatrix} from './quant-matrix.js';
export {Tensor, type TensorOptions} from './tensor.js';
