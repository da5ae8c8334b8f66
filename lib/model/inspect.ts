import {pageTokens} from '../cache/index.js';
import {ChatTemplate} from '../chat/index.js';
import {isExlError} from '../errors/index.js';
import {findArchitecture, WeightScope} from '../models/index.js';
import {parseLoadOptions} from '../options/index.js';
import {weightsOf} from '../program/index.js';
import {locateModel, openWeights, readModelConfig} from '../weights/index.js';
import {type CacheSizes, cacheSizes} from './inspect-cache.js';
import {type WeightKindInfo, weightKinds} from './inspect-weights.js';
import {defaultCacheTokens} from './load.js';
import {recordModel} from './programs.js';

/** What a model is, from its configuration and the headers of its weights. */
export type ModelInfo = {
	readonly directory: string;
	/** `LlamaForCausalLM` */
	readonly architecture: string;
	/** How its weights are stored: `exl2`, `gptq`, `f16`, `bf16`, `f32`, in the order they are met. */
	readonly formats: readonly string[];
	/** Numbers the weights stand for. A head that is the embedding counts once; one that is stored on its own counts again. */
	readonly parameters: number;
	/** Stored bits per parameter over all weights, scales and tables included. */
	readonly bitsPerWeight: number;
	/** The same by kind of layer: `embed_tokens`, `q_proj`, ..., `lm_head`, `norms`, `biases`. */
	readonly kinds: Readonly<Record<string, WeightKindInfo>>;
	/** Bytes of all tensors in its files, whether it uses them or not. */
	readonly fileBytes: number;
	/** Bytes of the weights it uses, as they are stored. A device pads and reorders them, which changes little. */
	readonly weightBytes: number;
	readonly layers: number;
	readonly hidden: number;
	readonly heads: number;
	readonly keyHeads: number;
	readonly headDim: number;
	readonly vocabulary: number;
	/** Tokens it was made for. */
	readonly contextTokens: number;
	/** Whether `chat()` has a template to write a conversation with. */
	readonly chatTemplate: boolean;
	/** What the key/value cache takes, by type. */
	readonly cache: {
		/** Tokens it holds unless told otherwise. */
		readonly defaultTokens: number;
		readonly types: CacheSizes;
	};
};

/**
Says what a model is without loading it: only its configuration, the headers of its weights and the tables of their
groups are read.

@param nameOrPath As for `loadModel()`.
@throws {ExlError} As `loadModel()`, for the same defects.
*/
export async function inspectModel(nameOrPath: string): Promise<ModelInfo> {
	const directory = await locateModel(nameOrPath);
	const {config, gptq} = await readModelConfig(directory);
	const {name, architecture} = findArchitecture(config);
	const configured = architecture.configure(config);
	const {layers, keyHeads, headDim, vocabulary, contextTokens} = configured.shape;
	const files = await openWeights(directory);

	const {recorder} = recordModel(configured, new WeightScope(files, gptq), 'sample', {
		sequences: 1,
		pagesPerSequence: 1,
	});
	const kinds = await weightKinds(weightsOf(recorder), vocabulary);
	const all = Object.values(kinds);
	const parameters = all.reduce((sum, kind) => sum + kind.parameters, 0);
	const weightBytes = all.reduce((sum, kind) => sum + kind.bytes, 0);

	const defaultTokens = defaultCacheTokens(contextTokens, parseLoadOptions().maxBatch);
	const roundedTokens = Math.ceil(defaultTokens / pageTokens) * pageTokens;
	const heads = config.int('num_attention_heads');
	return {
		directory,
		architecture: name,
		formats: [...new Set(all.flatMap(kind => kind.formats))],
		parameters,
		bitsPerWeight: (weightBytes * 8) / parameters,
		kinds,
		fileBytes: files.totalBytes,
		weightBytes,
		layers,
		hidden: config.int('hidden_size'),
		heads,
		keyHeads,
		headDim,
		vocabulary,
		contextTokens,
		chatTemplate: await hasChatTemplate(directory),
		cache: {defaultTokens, types: cacheSizes(configured.shape, roundedTokens)},
	};
}

/** A broken template is one: `chat()` says what is wrong with it. */
async function hasChatTemplate(directory: string): Promise<boolean> {
	return ChatTemplate.load(directory).then(
		() => true,
		error => {
			if (!isExlError(error)) throw error;
			return error.code !== 'EXL_MODEL_UNSUPPORTED';
		},
	);
}
