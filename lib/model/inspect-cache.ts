import {isExlError} from '../errors/index.js';
import type {ModelShape} from '../models/index.js';
import {addon} from '../native/index.js';
import {type CacheTypeName, cacheTypes} from '../options/index.js';

/** What a key/value cache of one type takes. */
export type CacheSize = {
	readonly bytesPerToken: number;
	/** Of a cache of the default length. */
	readonly bytes: number;
};

/** By type; `q8`, `q6` and `q4` are absent where heads are not a multiple of 8 elements. */
export type CacheSizes = Readonly<Record<'fp16' | 'fp8', CacheSize> & Partial<Record<CacheTypeName, CacheSize>>>;

/** What a cache of `tokens`, whole pages, takes on a device that computes in single precision. */
export function cacheSizes({layers, keyHeads, headDim: dim}: ModelShape, tokens: number): CacheSizes {
	const sizes: Partial<Record<CacheTypeName, CacheSize>> = {};
	for (const type of cacheTypes) {
		try {
			const bytesPerToken = layers * addon().cacheTokenBytes({keyHeads, dim, type});
			sizes[type] = {bytesPerToken, bytes: bytesPerToken * tokens};
		} catch (error) {
			if (!isExlError(error) || error.code !== 'EXL_INVALID_ARGUMENT' || type === 'fp16') throw error;
		}
	}
	return sizes as CacheSizes;
}
