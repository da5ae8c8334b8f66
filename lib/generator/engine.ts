/** What a sampler saw of one draw; logarithms of probabilities are the model's own. */
export type Observation = {
	/** Drawn; -3 if the draw was left to the generator. */
	readonly id: number;
	readonly logProb: number;
	/** Most probable first. */
	readonly topIds: Int32Array;
	readonly topLogProbs: Float32Array;
	/** `[vocabulary]` */
	readonly logits?: Float32Array;
};

export type StepReply = {
	/** `[outputs]` drawn; -1: no token may come next; -2: not drawn, a guess before was wrong; -3: left to `draw`; -4: not finite. */
	readonly ids: Int32Array;
	/** In the order of the outputs, of those whose samplers observe. */
	readonly observations?: readonly Observation[];
};

/** One step of a batch: rows of tokens, in which tokens of one sequence follow each other. */
export type Step = {
	/** `[rows]`; -1 stands for the id last drawn in its sequence. */
	readonly tokens: Int32Array;
	/** `[rows]` place of each in its sequence. */
	readonly positions: Int32Array;
	/** `[rows]` row of the page table. */
	readonly sequences: Int32Array;
	/** `[sequences, pages per sequence]` */
	readonly pages: Int32Array;
	/** `[outputs]` rows whose next token is wanted. */
	readonly outputs: Int32Array;
	/** `[outputs]` handles of their samplers. */
	readonly samplers: Int32Array;
};

/** What the generator needs of a model. Everything takes place in the order it was asked for. */
export type StepEngine = {
	/** In one step, at most. */
	readonly maxRows: number;
	readonly maxOutputs: number;
	readonly maxSequences: number;
	readonly pagesPerSequence: number;

	/** Reads what it is given before it returns. */
	run(step: Step): Promise<StepReply>;
	copyPages(from: Int32Array, to: Int32Array): Promise<void>;
	/** Forgets all draws of a sampler but the first `draws`; `banned` ids are not drawn in the place of the next. */
	rewind(sampler: number, draws: number, banned: Int32Array): Promise<void>;
	/** One id from these logits, here and now, or -1 or -4; the sampler must not be in a step. */
	draw(sampler: number, logits: Float32Array): number;
};
