import * as v from 'valibot';
import {integer, numberWhere, optionsOf} from '../options/index.js';

/** What makes tokens of the prompt and the text so far less probable. */
export type PenaltyOptions = {
	/**
	Divides positive and multiplies negative logits of tokens seen before; 1 is off.
	@default 1.025; 1 if `temperature` is 0, so that greedy is the most probable token and nothing else
	*/
	readonly repetitionPenalty?: number | undefined;

	/** Subtracted from the logits of tokens seen before. @default 0, off */
	readonly presencePenalty?: number | undefined;

	/** Subtracted from the logit of a token for each time it was seen before. @default 0, off */
	readonly frequencyPenalty?: number | undefined;

	/** How many of the last tokens these three see; -1: all. @default -1 */
	readonly repetitionRange?: number | undefined;

	/** Over how many tokens before that range the three fade to nothing. @default 0 */
	readonly repetitionDecay?: number | undefined;

	/** Makes it less probable to go on with what was said before: `multiplier` alone is enough. @default off */
	readonly dry?: DryOptions | undefined;
};

/**
DRY, "don't repeat yourself": a token that would make a repetition of `n` tokens longer loses
`multiplier * base ** (n - allowedLength)` from its logit, where `n` is at least `allowedLength`.
*/
export type DryOptions = {
	/** At least 0, which is off; 0.8 is usual. */
	readonly multiplier: number;
	/** At least 1. @default 1.75 */
	readonly base?: number | undefined;
	/** At least 1. @default 2 */
	readonly allowedLength?: number | undefined;
	/** How many of the last tokens are searched for repetitions; 0: all. @default 0 */
	readonly range?: number | undefined;
	/**
	Tokens no repetition goes across: ids, and strings for all tokens that contain them.
	@default punctuation, brackets, quotes, line breaks, tabs and special tokens
	*/
	readonly breakers?: readonly (string | number)[] | undefined;
};

const anyNumber = numberWhere('a number');

const isBreaker = (value: unknown) =>
	typeof value === 'string' ? value !== '' : Number.isInteger(value) && (value as number) >= 0;

export const penaltyEntries = {
	repetitionPenalty: v.optional(numberWhere('a number above 0', n => n > 0)),
	presencePenalty: v.optional(anyNumber, 0),
	frequencyPenalty: v.optional(anyNumber, 0),
	repetitionRange: v.optional(integer(-1), -1),
	repetitionDecay: v.optional(integer(0), 0),
	dry: v.optional(
		optionsOf({
			multiplier: numberWhere('a number of at least 0', n => n >= 0),
			base: v.optional(
				numberWhere('a number of at least 1', n => n >= 1),
				1.75,
			),
			allowedLength: v.optional(integer(1), 2),
			range: v.optional(integer(0), 0),
			breakers: v.optional(
				v.array(
					v.custom<string | number>(isBreaker, 'a non-empty string or a token id'),
					'a list of strings and token ids',
				),
			),
		}),
	),
};
