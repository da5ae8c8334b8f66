import {ExlError} from '../errors/index.js';
import type {WeightSource} from '../native/index.js';
import {exl2Source} from './exl2.js';
import {floatSource, type LinearShape} from './float.js';
import {type GptqOptions, gptqSource} from './gptq.js';
import {floatTensor} from './tensor.js';
import type {WeightFiles} from './weight-files.js';

export type LinearFormat = WeightSource['format'];

export type LinearSource = {
	readonly weight: WeightSource;
	/** As long as a row of the product, padding included. */
	readonly bias?: WeightSource;
	/** Columns that mean something. An EXL2 weight may have up to 31 more. */
	readonly outFeatures: number;
};

export type LinearOptions = LinearShape & {readonly gptq?: GptqOptions};

/** What the tensors of a linear layer are called after its name, in all formats. */
export const linearTensors: ReadonlySet<string> = new Set([
	...['weight', 'bias'],
	...['qweight', 'qzeros', 'scales', 'g_idx'],
	...['q_weight', 'q_scale', 'q_scale_max', 'q_groups', 'q_invperm', 'q_perm', 'q_group_map'],
]);

/** The format of the linear layer `key`, or nothing if there is none. EXL2 wins over GPTQ, and both over plain. */
export function linearFormat(files: WeightFiles, key: string): LinearFormat | undefined {
	if (files.has(`${key}.q_weight`)) return 'exl2';
	if (files.has(`${key}.qweight`)) return 'gptq';
	return files.has(`${key}.weight`) ? 'float' : undefined;
}

/**
The sizes of a linear layer as its own tensors tell them, for a reader who has no configuration.

@throws {ExlError} `EXL_MODEL_INVALID` if there is no such layer.
*/
export function linearShape(files: WeightFiles, key: string): LinearShape {
	const size = (name: string, axis: number) => files.entry(`${key}.${name}`).shape[axis] ?? 0;
	switch (linearFormat(files, key)) {
		case 'exl2':
			return {inFeatures: size('q_invperm', 0), outFeatures: size('q_weight', 1)};
		case 'gptq':
			return {inFeatures: size('qweight', 0) * 8, outFeatures: size('qweight', 1)};
		default:
			return {inFeatures: size('weight', 1), outFeatures: size('weight', 0)};
	}
}

/**
The weight and bias of the linear layer `key` (`model.layers.0.mlp.gate_proj`), in whatever format it is stored.

@throws {ExlError} `EXL_MODEL_INVALID` if a tensor is missing, `EXL_FORMAT_INVALID`, `EXL_FORMAT_UNSUPPORTED` or
`EXL_SHAPE_MISMATCH` if one is not what its format and `options` require.
*/
export async function linearSource(files: WeightFiles, key: string, options: LinearOptions): Promise<LinearSource> {
	const weight = await weightSource(files, key, options);
	const bias = await biasSource(files, `${key}.bias`, weight);
	return {weight, ...(bias && {bias}), outFeatures: options.outFeatures};
}

async function weightSource(files: WeightFiles, key: string, options: LinearOptions): Promise<WeightSource> {
	switch (linearFormat(files, key)) {
		case 'exl2':
			return exl2Source(files, key, options);
		case 'gptq':
			return gptqSource(files, key, options, options.gptq);
		case 'float':
			return floatSource(files, key, options);
		default: {
			const message = `the model has no weight for ${key}, expected q_weight (EXL2), qweight (GPTQ) or weight`;
			throw new ExlError('EXL_MODEL_INVALID', message, {op: key});
		}
	}
}

async function biasSource(
	files: WeightFiles,
	name: string,
	{format, shape}: WeightSource,
): Promise<WeightSource | undefined> {
	if (!files.has(name)) return undefined;
	const entry = files.entry(name);
	const bias = floatTensor(entry, shape.slice(0, 1));

	// GPTQ writers give every layer a bias, whether its architecture has one or not.
	if (format === 'gptq' && isZero(await files.read(entry), entry.dtype === 'F32' ? 4 : 2)) return undefined;
	return bias;
}

/** Whether all floats are 0 or -0: of a little-endian one, the sign is the top bit of the last byte. */
function isZero(bytes: Buffer, size: number): boolean {
	return bytes.every((byte, i) => (i % size === size - 1 ? byte & 0x7f : byte) === 0);
}
