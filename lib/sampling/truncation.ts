import * as v from 'valibot';
import {integer, numberWhere, optionsOf} from '../options/index.js';

/** Which tokens are left out of the draw. Applied in this order, each to what the one before left. */
export type TruncationOptions = {
	/** Keeps the k most probable tokens; 0 keeps all. @default 50 */
	readonly topK?: number | undefined;

	/**
	Keeps the fewest most probable tokens that together have this probability (arXiv:1904.09751), 0 to 1; 0 and 1 keep all.
	@default 0.8
	*/
	readonly topP?: number | undefined;

	/** Keeps tokens of a probability of at least `topA * largest ** 2`, 0 to 1. @default 0, off */
	readonly topA?: number | undefined;

	/** Keeps tokens at least this fraction as probable as the most probable one (arXiv:2407.01082), 0 to 1. @default 0 */
	readonly minP?: number | undefined;

	/**
	Tail free sampling: cuts the sorted probabilities where their second differences have added up to this share of their
	sum, 0 to 1; 0 and 1 keep all.
	@default 1, off
	*/
	readonly tfs?: number | undefined;

	/**
	Locally typical sampling (arXiv:2202.00666): keeps tokens whose `-ln p` is nearest to the entropy, until they have this
	probability together; 0 and 1 keep all.
	@default 1, off
	*/
	readonly typicalP?: number | undefined;

	/**
	Mirostat 2 (arXiv:2007.14966): keeps tokens of a surprise `-log2 p` of at most `mu`, which begins at `2 * tau` and after
	each draw falls by `eta * (surprise - tau)`, so that the text has `tau` bits of surprise per token.
	@default off; `tau` 1.5, `eta` 0.1
	*/
	readonly mirostat?: {readonly tau?: number | undefined; readonly eta?: number | undefined} | undefined;

	/**
	XTC, "exclude top choices": with this probability a draw leaves out all tokens at least as probable as `threshold`, but
	the least probable of them. Special tokens and those with a line break are never left out.
	@default off; `threshold` 0.1
	*/
	readonly xtc?: {readonly probability: number; readonly threshold?: number | undefined} | undefined;

	/**
	`'exllamav2'`: `topP` and `typicalP` as ExLlamaV2 computes them, which leave out the token that reaches the threshold.
	@default the published algorithms
	*/
	readonly compat?: 'exllamav2' | undefined;
};

const fraction = numberWhere('a number from 0 to 1', n => n >= 0 && n <= 1);

export const truncationEntries = {
	topK: v.optional(integer(0), 50),
	topP: v.optional(fraction, 0.8),
	topA: v.optional(fraction, 0),
	minP: v.optional(fraction, 0),
	tfs: v.optional(fraction, 1),
	typicalP: v.optional(fraction, 1),
	mirostat: v.optional(
		optionsOf({
			tau: v.optional(
				numberWhere('a number above 0', n => n > 0),
				1.5,
			),
			eta: v.optional(
				numberWhere('a number of at least 0', n => n >= 0),
				0.1,
			),
		}),
	),
	xtc: v.optional(optionsOf({probability: fraction, threshold: v.optional(fraction, 0.1)})),
	compat: v.optional(v.literal('exllamav2', "'exllamav2'")),
};
