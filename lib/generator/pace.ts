/** How much longer than usual a step may take for the sake of a prompt: enough for it to get on, too little to be felt. */
const stretch = 0.5;

/** Prompt tokens that may join a step in any case: a prompt must get somewhere. */
const leastRows = 2;

/** Steps with prompts in a row, before one without: those who stream get slower as their texts grow, which has to be seen. */
const mostMixed = 8;

/**
Decides how many tokens of prompts may join a step without making those who stream wait much longer than usual. It learns
from the steps that ran what a step takes without them, and what each row adds.
*/
export class Pace {
	/** Milliseconds of a step with no rows of prompts: the median, because others use the machine now and then. */
	readonly #stepMs = new Recent(19, 0.5);
	/** Milliseconds for each row of a prompt: rather too many than too few, which all who stream would feel. */
	readonly #rowMs = new Recent(8, 0.75);
	/** Rows of prompts in the last step that had any. */
	#lastRows = 0;
	/** Steps since one without rows of prompts. */
	#mixed = 0;

	/** @param streams Rows of jobs that stream. */
	observe(ms: number, streams: number, promptRows: number): void {
		// Rows of a step that is all prompt are many, and cost less than a few among streams.
		if (streams === 0) return;
		this.#mixed = promptRows === 0 ? 0 : this.#mixed + 1;
		if (promptRows === 0) {
			this.#stepMs.add(ms);
			return;
		}
		this.#lastRows = promptRows;
		if (this.#stepMs.value !== undefined) this.#rowMs.add(Math.max(0, ms - this.#stepMs.value) / promptRows);
	}

	/** Rows of prompts for the next step. @param most If nobody streams. */
	promptRows(streams: number, most: number): number {
		if (streams === 0) return most;
		if (this.#mixed >= mostMixed) return 0;
		const stepMs = this.#stepMs.value;
		const rowMs = this.#rowMs.value;
		if (stepMs === undefined || rowMs === undefined) return Math.min(most, leastRows);
		const affordable = Math.floor((stepMs * stretch) / rowMs);
		// What few rows took says little of what many take.
		return Math.min(most, Math.max(leastRows, Math.min(affordable, 2 * this.#lastRows)));
	}
}

/** A quantile of the last measurements. */
class Recent {
	readonly #most: number;
	readonly #share: number;
	readonly #measured: number[] = [];
	#next = 0;
	#value: number | undefined;

	constructor(most: number, share: number) {
		this.#most = most;
		this.#share = share;
	}

	get value(): number | undefined {
		return this.#value;
	}

	add(value: number): void {
		this.#measured[this.#next] = value;
		this.#next = (this.#next + 1) % this.#most;
		const sorted = [...this.#measured].sort((a, b) => a - b);
		this.#value = sorted[Math.floor(sorted.length * this.#share)];
	}
}
