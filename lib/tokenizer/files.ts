import {join} from 'node:path';
import * as v from 'valibot';
import {ExlError} from '../errors/index.js';
import {readModelJson} from '../options/model-file.js';

const id = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const addedToken = v.looseObject({
	id,
	content: v.string(),
	special: v.optional(v.boolean(), false),
	normalized: v.optional(v.boolean()),
	single_word: v.optional(v.boolean()),
	lstrip: v.optional(v.boolean()),
	rstrip: v.optional(v.boolean()),
});

// Checked as a whole: a schema per entry costs a second at 128,000 tokens, and Valibot drops keys named "constructor".
const vocab = v.custom<object>(value => typeof value === 'object' && value !== null, 'an object or a list');
const merges = v.custom<readonly (string | readonly string[])[]>(Array.isArray, 'a list');

const tokenizerJson = v.looseObject({
	added_tokens: v.optional(v.array(addedToken), []),
	model: v.looseObject({
		vocab,
		merges: v.optional(merges),
		ignore_merges: v.nullish(v.boolean()),
		end_of_word_suffix: v.nullish(v.string()),
	}),
	// The library insists on the presence of these.
	normalizer: v.optional(v.nullable(v.looseObject({type: v.string()})), null),
	pre_tokenizer: v.optional(v.nullable(v.looseObject({type: v.string()})), null),
	post_processor: v.optional(v.nullable(v.looseObject({type: v.string()})), null),
	decoder: v.optional(v.nullable(v.looseObject({type: v.string()})), null),
});

const specialToken = v.nullish(v.union([v.string(), v.looseObject({content: v.string()})]));

const tokenizerConfig = v.looseObject({
	bos_token: specialToken,
	eos_token: specialToken,
	add_bos_token: v.nullish(v.boolean()),
	added_tokens_decoder: v.nullish(v.record(v.string(), v.looseObject({content: v.string()}))),
});

const eosIds = v.nullish(v.union([id, v.array(id)]));
const modelConfig = v.looseObject({eos_token_id: eosIds, bos_token_id: v.nullish(v.union([id, v.array(id)]))});

export type TokenizerJson = v.InferOutput<typeof tokenizerJson>;
export type TokenizerConfig = v.InferOutput<typeof tokenizerConfig>;

export type TokenizerFiles = {
	readonly json: TokenizerJson;
	/** Undefined: the directory has none, which is not the same as one that names no BOS token. */
	readonly config: TokenizerConfig | undefined;
	/** Of config.json and generation_config.json. */
	readonly eosIds: readonly number[];
	/** Of config.json. */
	readonly bosId: number | undefined;
};

/** @throws {ExlError} `EXL_MODEL_NOT_FOUND` without a tokenizer.json, `EXL_FORMAT_INVALID` if a file is damaged. */
export async function readTokenizerFiles(directory: string): Promise<TokenizerFiles> {
	const [json, config, model, generation] = await Promise.all([
		readModelJson(directory, 'tokenizer.json', tokenizerJson),
		readModelJson(directory, 'tokenizer_config.json', tokenizerConfig),
		readModelJson(directory, 'config.json', modelConfig),
		readModelJson(directory, 'generation_config.json', modelConfig),
	]);
	if (json === undefined) {
		const message = `${join(directory, 'tokenizer.json')} does not exist; tokenizer.model alone is not supported`;
		throw new ExlError('EXL_MODEL_NOT_FOUND', message);
	}

	const bos = model?.bos_token_id;
	return {
		json: {...json, added_tokens: withConfigTokens(json, config)},
		config,
		eosIds: [model, generation].flatMap(file => file?.eos_token_id ?? []),
		bosId: typeof bos === 'number' ? bos : undefined,
	};
}

/** Models that were given more tokens by fine-tuning sometimes list them in tokenizer_config.json only. */
function withConfigTokens(json: TokenizerJson, config: TokenizerConfig | undefined): TokenizerJson['added_tokens'] {
	const known = new Set(json.added_tokens.map(token => token.id));
	const more = Object.entries(config?.added_tokens_decoder ?? {})
		.map(([key, token]) => ({special: true, ...token, id: Number(key)}))
		.filter(token => Number.isSafeInteger(token.id) && !known.has(token.id));
	return [...json.added_tokens, ...more];
}
