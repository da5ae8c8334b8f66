import * as v from 'valibot';
import {ExlError} from '../errors/index.js';
import {abortSignal, integer, optionsOf, parseOptions, trueOrFalse} from '../options/index.js';
import {allowedTexts, type FilterOptions, filterEntries} from './filters.js';
import {type OutputOptions, outputEntries} from './output.js';
import {type PenaltyOptions, penaltyEntries} from './penalties.js';
import {type TemperatureOptions, temperatureEntries} from './temperature.js';
import {type TokenOptions, tokenEntries} from './tokens.js';
import {type TruncationOptions, truncationEntries} from './truncation.js';

/**
How to continue a prompt. The defaults are ExLlamaV2's.

@interface
*/
export type GenerateOptions = TextOptions &
	OutputOptions &
	TemperatureOptions &
	TruncationOptions &
	PenaltyOptions &
	TokenOptions &
	FilterOptions;

/** Where a text begins and ends. */
export type TextOptions = {
	/** Tokens to generate at most, at least 1. @default until the context ends */
	readonly maxTokens?: number | undefined;

	/** Tokens before which none is drawn that ends the text. A `stop` string may still end it. @default 0 */
	readonly minTokens?: number | undefined;

	/** Whole number; the same seed and prompt give the same text. @default random */
	readonly seed?: number | undefined;

	/**
	Strings and token ids that end the text; they are not part of it. A string that is a special token (`<|im_end|>`) ends
	it where that token is drawn. @default only the model's own end tokens
	*/
	readonly stop?: string | number | readonly (string | number)[] | undefined;

	/** Whether the prompt begins with the BOS token. @default as the tokenizer is set up */
	readonly addBos?: boolean | undefined;

	/** Ends the job; the call then rejects with its reason. @default none */
	readonly signal?: AbortSignal | undefined;
};

export type ResolvedGenerateOptions = v.InferOutput<typeof generateSchema> & {readonly repetitionPenalty: number};

const isStop = (value: unknown) =>
	typeof value === 'string' ? value !== '' : Number.isSafeInteger(value) && (value as number) >= 0;

const stop = v.pipe(
	v.custom<string | number | readonly (string | number)[]>(
		value => (Array.isArray(value) ? value.every(isStop) : isStop(value)),
		'a non-empty string, a token id, or a list of these',
	),
	v.transform(value => {
		const all = typeof value === 'object' ? value : [value];
		return {strings: all.filter(s => typeof s === 'string'), ids: all.filter(s => typeof s === 'number')};
	}),
);

/** @internal What docs/sampling.md lists. */
export const generateSchema = optionsOf({
	maxTokens: v.optional(integer(1)),
	minTokens: v.optional(integer(0), 0),
	...temperatureEntries,
	...truncationEntries,
	...penaltyEntries,
	...tokenEntries,
	...outputEntries,
	...filterEntries,
	seed: v.optional(integer(0)),
	stop: v.optional(stop, []),
	addBos: v.optional(trueOrFalse),
	signal: v.optional(abortSignal),
}) satisfies v.GenericSchema<GenerateOptions, unknown>;

/**
Checks the options of `generate()`, `complete()` and `chat()` and fills in defaults.

@param what Which of them, for its errors.
@throws {ExlError} `EXL_INVALID_ARGUMENT`.
*/
export function parseGenerateOptions(input: unknown = {}, what = 'generate()'): ResolvedGenerateOptions {
	const options = parseOptions(generateSchema, input, what);
	refuseContradictions(options);
	// As ExLlamaV2's greedy settings: no penalty unless one is asked for.
	const {repetitionPenalty = options.temperature === 0 ? 1 : 1.025} = options;
	return {...options, repetitionPenalty};
}

/**
Checks options as `generate()` does, and needs no model: for forms and command lines.

@throws {ExlError} `EXL_INVALID_ARGUMENT`.
*/
export function checkGenerateOptions(options?: GenerateOptions): void {
	parseGenerateOptions(options);
}

function refuseContradictions(options: v.InferOutput<typeof generateSchema>): void {
	const {minTokens, maxTokens, dynamicTemperature, allowedTokens, bannedTokens = [], filters} = options;
	const refuse = (op: string, message: string) => {
		throw new ExlError('EXL_INVALID_ARGUMENT', message, {op});
	};
	if (maxTokens !== undefined && minTokens > maxTokens) {
		refuse('minTokens', `minTokens must be at most maxTokens, which is ${maxTokens}; got ${minTokens}`);
	}
	if (dynamicTemperature && dynamicTemperature.min > dynamicTemperature.max) {
		const {min, max} = dynamicTemperature;
		refuse('dynamicTemperature.min', `dynamicTemperature.min must be at most max, which is ${max}; got ${min}`);
	}
	if (filters) allowedTexts(filters);
	const banned = new Set(bannedTokens);
	if (allowedTokens?.every(id => banned.has(id))) {
		refuse('allowedTokens', 'allowedTokens must have a token that is not in bannedTokens, or nothing can be drawn');
	}
}
