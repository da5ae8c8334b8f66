/** How much longer than usual a step may take for the sake of a prompt: enough for it to get on, too little to be felt. */
const stretch = 0.5;

/** Prompt tokens that may join a step in any case: a prompt must get somewhere. */
const leastRows = 2;

/** Steps with prompts in a row, before one without: what is usual changes, as texts grow and others use the machine. */
const mostMixed = 4;

/** The shortest of so many steps without prompts is what is usual: one that others have held up says nothing. */
const usualOf = 5;

/** Rows may grow so much from step to step, by one in any case: at first, and once the limit has been met. */
const firstGrowth = 2;
const growth = 1.1;

/** One step that took too long may be somebody else's doing, so it takes only so much away. */
const mostLoss = 0.8;

/**
Decides how many tokens of prompts may join a step without making those who stream wait much longer than usual: a few more
after each step that was short enough, fewer after one that was not, as TCP does with what it sends.
*/
export class Pace {
	/** Milliseconds of the last steps with no rows of prompts. */
	readonly #usual: number[] = [];
	#rows = leastRows;
	#growth = firstGrowth;
	/** Steps since one without rows of prompts. */
	#mixed = 0;

	/** @param streams Rows of jobs that stream. */
	observe(ms: number, streams: number, promptRows: number): void {
		// Rows of a step that is all prompt are many, and cost less than a few among streams.
		if (streams === 0) return;
		this.#mixed = promptRows === 0 ? 0 : this.#mixed + 1;
		if (promptRows === 0) {
			this.#usual.push(ms);
			if (this.#usual.length > usualOf) this.#usual.shift();
			return;
		}
		if (this.#usual.length === 0) return;
		const usual = Math.min(...this.#usual);
		const fitting = (promptRows * usual * stretch) / Math.max(ms - usual, 1e-9);
		const more = Math.max(promptRows + 1, promptRows * this.#growth);
		if (fitting < more) this.#growth = growth;
		// A step of few rows, at the end of a prompt, says nothing against many.
		if (fitting >= promptRows) this.#rows = Math.max(this.#rows, Math.min(fitting, more));
		else this.#rows = Math.max(leastRows, Math.min(this.#rows, Math.max(fitting, promptRows * mostLoss)));
	}

	/** Rows of prompts for the next step. @param most If nobody streams. */
	promptRows(streams: number, most: number): number {
		if (streams === 0) return most;
		if (this.#mixed >= mostMixed) return 0;
		return Math.min(most, Math.floor(this.#rows));
	}
}
