import * as v from 'valibot';
import {callback, integer, named, numberWhere, optionsOf, trueOrFalse} from '../options/index.js';

/** Looks at the logits of the next token before the sampler does: `[vocabulary]`. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing is the usual one.
export type LogitsHook = (logits: Float32Array, ids: readonly number[]) => Float32Array | void;

/** What comes with the text, and what is done to it on the way. */
export type OutputOptions = {
	/**
	Strings that must not occur in the text, in any case of letters. Text is held back as long as it may become one; when it
	has, its tokens are taken back and others drawn.
	@default none
	*/
	readonly bannedStrings?: readonly string[] | undefined;

	/**
	Takes the last token of the prompt back and draws it anew together with what follows, from those that begin with its
	text: a prompt that ends in the middle of what would be one token is then continued as if it did not.
	@default false
	*/
	readonly tokenHealing?: boolean | undefined;

	/** Natural logarithms of probabilities with each token: its own and of as many of the most probable ones, 0 to 100. @default none */
	readonly topLogprobs?: number | undefined;

	/** The logits each token was drawn from: `[vocabulary]` floats per token. @default false */
	readonly returnLogits?: boolean | undefined;

	/**
	Called with the logits of each token, `[vocabulary]`, before penalties, masks and sampling, and the ids so far. It may
	change them in place, or return others. Steps then wait for JavaScript; not with `isolation: 'process'`.
	@default none
	*/
	readonly logitsHook?: LogitsHook | undefined;

	/**
	Classifier-free guidance (arXiv:2306.17806): log-probabilities become `scale` times those after the prompt, plus
	`1 - scale` times those after `negativePrompt`. Takes two places in the batch.
	@default off
	*/
	readonly guidance?: {readonly scale: number; readonly negativePrompt: string | readonly number[]} | undefined;

	/**
	Guesses several tokens and checks them in one step, with the same text as a result: `draft` with the draft model that was
	loaded, `ngram` from what was said before. `false` does not.
	@default 'draft' if there is a draft model, else `false`
	*/
	readonly speculative?: 'draft' | 'ngram' | false | undefined;

	/** Jobs of a higher one go first. @default 0 */
	readonly priority?: number | undefined;
};

const isId = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

const isPrompt = (value: unknown) =>
	typeof value === 'string' ? value !== '' : Array.isArray(value) && value.length > 0 && value.every(isId);

export const outputEntries = {
	bannedStrings: v.optional(
		v.array(
			v.custom<string>(value => typeof value === 'string' && value !== '', 'a non-empty string'),
			'a list of non-empty strings',
		),
		[],
	),
	tokenHealing: v.optional(trueOrFalse, false),
	topLogprobs: v.optional(integer(0, 100)),
	returnLogits: v.optional(trueOrFalse, false),
	logitsHook: v.optional(callback<LogitsHook>()),
	guidance: v.optional(
		optionsOf({
			scale: numberWhere('a number'),
			negativePrompt: v.custom<string | readonly number[]>(isPrompt, 'a non-empty string or list of token ids'),
		}),
	),
	speculative: v.optional(
		named(
			v.custom<'draft' | 'ngram' | false>(
				value => ['draft', 'ngram', false].includes(value as string),
				"'draft', 'ngram' or false",
			),
			['draft', 'ngram'],
		),
	),
	priority: v.optional(integer(-(2 ** 31), 2 ** 31), 0),
};
