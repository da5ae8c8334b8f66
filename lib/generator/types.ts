/** What one job asks of a model, once options are resolved and text is tokens. */
export type JobRequest = {
	readonly promptIds: readonly number[];
	readonly maxTokens: number;
	readonly stopIds: ReadonlySet<number>;
	readonly stopStrings: readonly string[];
	readonly signal?: AbortSignal | undefined;
	/** Ends the job early but in order, because nobody listens any more. */
	readonly left?: AbortSignal | undefined;
};

/** What the generator needs of a model: tokens of one sequence in, the next token out. */
export type Sequence = {
	/** Runs `ids`, the first of them at `position`, for their keys and values only. */
	prefill(ids: readonly number[], position: number): Promise<void>;
	/** Runs `ids` and draws the token that follows. */
	step(ids: readonly number[], position: number): Promise<number>;
	/** Gives back all it holds. */
	release(): void;
};

/** A piece of the answer. */
export type Chunk = {
	/** May be empty: text is held back while it may become a stop string or half a character. */
	readonly text: string;
	/** The tokens since the chunk before. */
	readonly tokenIds: readonly number[];
};

export type FinishReason = 'stop' | 'length' | 'abort';

export type Timings = {
	/** Milliseconds from the start of the job to its first token, waiting for other jobs not included. */
	readonly promptMs: number;
	/** Milliseconds from the first token to the last. */
	readonly decodeMs: number;
	/** Prompt tokens per second. */
	readonly promptTokensPerSecond: number;
	/** Generated tokens per second, the first not counted. */
	readonly tokensPerSecond: number;
};

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
};
