import type {WeightSource} from '../native/index.js';
import {floatTensor} from './tensor.js';
import type {WeightFiles} from './weight-files.js';

/** What the model file says about a linear layer. */
export type LinearShape = {readonly inFeatures: number; readonly outFeatures: number};

/**
A plain linear weight, `key.weight [outFeatures, inFeatures]`.

@throws {ExlError} `EXL_FORMAT_UNSUPPORTED` for another type than F32, F16, BF16; `EXL_SHAPE_MISMATCH`.
*/
export function floatSource(files: WeightFiles, key: string, {inFeatures, outFeatures}: LinearShape): WeightSource {
	return floatTensor(files.entry(`${key}.weight`), [outFeatures, inFeatures]);
}

/**
A tensor that is no linear weight, such as a norm. `name` is its whole name: `model.norm.weight`.

@param shapes The shapes it may have; EXL2 writes a head norm as `[heads, dim]` where its source has `[dim]`.
@throws {ExlError} `EXL_MODEL_INVALID` if it is missing, `EXL_FORMAT_UNSUPPORTED` for its type, `EXL_SHAPE_MISMATCH`.
*/
export function vectorSource(files: WeightFiles, name: string, ...shapes: (readonly number[])[]): WeightSource {
	return floatTensor(files.entry(name), ...shapes);
}

/** A token embedding, `key.weight [vocabulary, hidden]`, which no supported format quantises. Throws as `vectorSource`. */
export function embeddingSource(files: WeightFiles, key: string, vocabulary: number, hidden: number): WeightSource {
	return floatTensor(files.entry(`${key}.weight`), [vocabulary, hidden]);
}
