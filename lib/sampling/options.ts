import * as v from 'valibot';
import {abortSignal, integer, numberWhere, parseOptions} from '../options/parse.js';

/** How to continue a prompt. The defaults are ExLlamaV2's. */
export type GenerateOptions = {
	/** Tokens to generate at most, at least 1. @default until the context ends */
	readonly maxTokens?: number | undefined;

	/** Divides the logits. 0 always takes the most probable token (greedy). @default 0.8 */
	readonly temperature?: number | undefined;

	/** Keeps the k most probable tokens; 0 keeps all. @default 50 */
	readonly topK?: number | undefined;

	/** Keeps the most probable tokens up to this probability, 0 to 1; 0 and 1 keep all. @default 0.8 */
	readonly topP?: number | undefined;

	/** Keeps tokens at least this fraction as probable as the most probable one, 0 to 1. @default 0 */
	readonly minP?: number | undefined;

	/**
	Divides positive and multiplies negative logits of tokens seen before; 1 is off.
	@default 1.025; 1 if `temperature` is 0, so that greedy is the most probable token and nothing else
	*/
	readonly repetitionPenalty?: number | undefined;

	/** Whole number; the same seed and prompt give the same text. @default random */
	readonly seed?: number | undefined;

	/** Strings and token ids that end the text; they are not part of it. @default only the model's own end tokens */
	readonly stop?: string | number | readonly (string | number)[] | undefined;

	/** Whether the prompt begins with the BOS token. @default as the tokenizer is set up */
	readonly addBos?: boolean | undefined;

	readonly signal?: AbortSignal | undefined;
};

export type ResolvedGenerateOptions = {
	readonly maxTokens?: number | undefined;
	readonly temperature: number;
	readonly topK: number;
	readonly topP: number;
	readonly minP: number;
	readonly repetitionPenalty: number;
	readonly seed?: number | undefined;
	readonly stop: {readonly strings: readonly string[]; readonly ids: readonly number[]};
	readonly addBos?: boolean | undefined;
	readonly signal?: AbortSignal | undefined;
};

const fraction = numberWhere('a number from 0 to 1', n => n >= 0 && n <= 1);

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

const schema = v.strictObject(
	{
		maxTokens: v.optional(integer(1)),
		temperature: v.optional(
			numberWhere('a number of at least 0', n => n >= 0),
			0.8,
		),
		topK: v.optional(integer(0), 50),
		topP: v.optional(fraction, 0.8),
		minP: v.optional(fraction, 0),
		repetitionPenalty: v.optional(numberWhere('a number above 0', n => n > 0)),
		seed: v.optional(integer(0)),
		stop: v.optional(stop, []),
		addBos: v.optional(v.boolean('true or false')),
		signal: v.optional(abortSignal),
	},
	'an object',
) satisfies v.GenericSchema<GenerateOptions, Unresolved<'repetitionPenalty'>>;

type Unresolved<Name extends keyof ResolvedGenerateOptions> = Omit<ResolvedGenerateOptions, Name> &
	Pick<GenerateOptions, Name & keyof GenerateOptions>;

/**
Checks the options of `generate()`, `complete()` and `chat()` and fills in defaults.

@throws {ExlError} `EXL_INVALID_ARGUMENT`.
*/
export function parseGenerateOptions(input: unknown = {}): ResolvedGenerateOptions {
	const options = parseOptions(schema, input, 'generate()');
	// As ExLlamaV2's greedy settings: no penalty unless one is asked for.
	const {repetitionPenalty = options.temperature === 0 ? 1 : 1.025} = options;
	return {...options, repetitionPenalty};
}
