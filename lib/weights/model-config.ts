import {lstat} from 'node:fs/promises';
import {join} from 'node:path';
import {ExlError} from '../errors/index.js';
import {isMissing} from '../options/file-error.js';
import {ConfigReader} from './config.js';
import type {GptqOptions} from './gptq.js';
import {describe} from './json.js';
import {directoryWithoutConfig} from './near-miss.js';

export type ModelConfig = {
	readonly config: ConfigReader;
	/** Sampling defaults; many models have none. */
	readonly generation: ConfigReader | undefined;
	/** Every token that ends a text: those of `generation_config.json`, then those only `config.json` has. */
	readonly eosTokenIds: readonly number[];
	/** For `linearSource`. */
	readonly gptq: GptqOptions;
};

/**
Reads what a model directory says about itself: `config.json` and, if there is one, `generation_config.json`.

@throws {ExlError} `EXL_MODEL_NOT_FOUND` without a `config.json`, `EXL_FORMAT_INVALID` for broken JSON,
`EXL_MODEL_INVALID` for a field of the wrong type, `EXL_FORMAT_UNSUPPORTED` for another quantisation than EXL2 or GPTQ.
*/
export async function readModelConfig(directory: string): Promise<ModelConfig> {
	if (!(await isPresent(directory, 'config.json'))) throw await directoryWithoutConfig(directory);
	const config = await ConfigReader.open(directory);
	const generation = await openIfPresent(directory, 'generation_config.json');
	const listed = [...(generation?.tokenIds('eos_token_id') ?? []), ...eosIds(config)];
	return {config, generation, eosTokenIds: [...new Set(listed)], gptq: readGptqOptions(config)};
}

function eosIds(config: ConfigReader): readonly number[] {
	return config.tokenIds(['eos_token_id', 'text_config.eos_token_id']);
}

async function openIfPresent(directory: string, name: string): Promise<ConfigReader | undefined> {
	return (await isPresent(directory, name)) ? ConfigReader.open(directory, name) : undefined;
}

/** Whether there is something of this name, readable or not: a file that may not be read is not a missing one. */
async function isPresent(directory: string, name: string): Promise<boolean> {
	return lstat(join(directory, name)).then(
		() => true,
		error => !isMissing(error),
	);
}

/** What `quantization_config` says to a reader of GPTQ; nothing for other models. */
export function readGptqOptions(config: ConfigReader): GptqOptions {
	const json = config.optionalObject('quantization_config');
	const method = json?.string('quant_method', 'gptq');
	if (json === undefined || method === 'exl2') return {};
	if (method !== 'gptq') throw unsupported(json, 'quant_method', method, 'exl2 or gptq');

	const format = json.string('checkpoint_format', 'gptq');
	if (format !== 'gptq' && format !== 'gptq_v2') {
		throw unsupported(json, 'checkpoint_format', format, 'gptq or gptq_v2');
	}
	const bits = json.optionalInt('bits');
	const groupSize = json.optionalNumber('group_size') === -1 ? -1 : json.optionalInt('group_size');
	return {
		version: format === 'gptq_v2' ? 2 : 1,
		...(bits !== undefined && {bits}),
		...(groupSize !== undefined && {groupSize}),
	};
}

function unsupported({file}: ConfigReader, field: string, found: unknown, expected: string): ExlError {
	const message = `${file}: quantization_config.${field} is ${describe(found)}, expected ${expected}`;
	return new ExlError('EXL_FORMAT_UNSUPPORTED', message);
}
