import type {Strand} from './job.js';

/** A piece of the answer. */
export type Chunk = {
	/** May be empty: text is held back while it may become a stop string, a banned one, or half a character. */
	readonly text: string;
	/** The tokens since the chunk before. */
	readonly tokenIds: readonly number[];
	/** Of each token, if `topLogprobs` or `returnLogits` asked for it. */
	readonly details?: readonly TokenDetails[];
};

/** Takes a chunk. A promise says that the next one must wait for it. */
export type Emit = (chunk: Chunk) => Promise<void> | undefined;

/** What the model said about one token, before penalties, masks, temperature and truncation. */
export type TokenDetails = {
	readonly id: number;
	/** Natural logarithm of its probability. */
	readonly logprob: number;
	/** The most probable tokens, first the most probable. */
	readonly top: readonly {readonly id: number; readonly logprob: number}[];
	/** Logits it was drawn from: `[vocabulary]`, if `returnLogits` asked for them. */
	readonly logits?: Float32Array;
};

/** Why a text ended: at a stop string or an end token, at `maxTokens` or the end of the context, or because its reader left. */
export type FinishReason = 'stop' | 'length' | 'abort';

/** How long an answer took. */
export type Timings = {
	/** Milliseconds from the call to the start of the job: waiting for a place in the batch and in the cache. */
	readonly queueMs: number;
	/** Milliseconds from there to its first token. */
	readonly promptMs: number;
	/** Milliseconds from the first token to the last. */
	readonly decodeMs: number;
	/** Prompt tokens per second that were computed: those of `cachedTokens` are not counted. */
	readonly promptTokensPerSecond: number;
	/** Generated tokens per second, the first not counted. */
	readonly tokensPerSecond: number;
};

/** How well guesses did. */
export type Speculation = {
	/** Tokens that were guessed and checked. */
	readonly drafted: number;
	/** Those the model drew as well. */
	readonly accepted: number;
	/** Steps that checked guesses. */
	readonly rounds: number;
};

/** A finished answer. */
export type GenerateResult = {
	readonly text: string;
	/** Generated tokens, without the one that ended the text. */
	readonly tokenIds: readonly number[];
	readonly promptTokens: number;
	readonly completionTokens: number;
	/** Prompt tokens whose keys and values were in the cache already. */
	readonly cachedTokens: number;
	readonly finishReason: FinishReason;
	/** With this seed the same prompt gives the same text again. */
	readonly seed: number;
	readonly timings: Timings;
	/** With `topLogprobs` or `returnLogits`. */
	readonly details?: readonly TokenDetails[];
	/** With `speculative`. */
	readonly speculation?: Speculation;
};

/** Guesses how a text goes on. */
export type Drafter = {
	/**
	Up to `count` tokens that may follow.

	@param strand Has pages for all of them.
	*/
	draft(strand: Strand, count: number): readonly number[] | Promise<readonly number[]>;
	release?(): void;
};
