/** How much longer than usual a step may take for the sake of a prompt: enough for it to get on, too little to be felt. */
const stretch = 0.5;

/** Prompt tokens that may join a step in any case: a prompt must get somewhere. */
const leastRows = 2;

/** Steps with prompts in a row, before one without: those who stream get slower as their texts grow, which has to be seen. */
const mostMixed = 8;

/** Measurements that are remembered. */
const remembered = 21;

/**
Decides how many tokens of prompts may join a step without making those who stream wait much longer than usual. It learns
from the steps that ran what a step takes without them, and what each row adds.
*/
export class Pace {
	/** Milliseconds of a step with no rows of prompts. */
	readonly #stepMs = new Recent();
	/** Milliseconds for each row of a prompt. */
	readonly #rowMs = new Recent();
	/** Steps since one without rows of prompts. */
	#mixed = 0;

	/** @param streams Rows of jobs that stream. */
	observe(ms: number, streams: number, promptRows: number): void {
		// Rows of a step that is all prompt are many, and cost less than a few among streams.
		if (streams === 0) return;
		this.#mixed = promptRows === 0 ? 0 : this.#mixed + 1;
		const stepMs = this.#stepMs.median;
		if (promptRows === 0) this.#stepMs.add(ms);
		else if (stepMs !== undefined) this.#rowMs.add(Math.max(0, ms - stepMs) / promptRows);
	}

	/** Rows of prompts for the next step. @param most If nobody streams. */
	promptRows(streams: number, most: number): number {
		if (streams === 0) return most;
		if (this.#mixed >= mostMixed) return 0;
		const stepMs = this.#stepMs.median;
		const rowMs = this.#rowMs.median;
		if (stepMs === undefined || !rowMs) return leastRows;
		return Math.min(most, Math.max(leastRows, Math.floor((stepMs * stretch) / rowMs)));
	}
}

/**
The median of the last measurements. A machine that is slow for some steps, because others use it too, moves an average:
prompts would then be given several times what they may take.
*/
class Recent {
	readonly #values: number[] = [];
	#next = 0;
	#median: number | undefined;

	get median(): number | undefined {
		return this.#median;
	}

	add(value: number): void {
		this.#values[this.#next] = value;
		this.#next = (this.#next + 1) % remembered;
		this.#median = [...this.#values].sort((a, b) => a - b)[this.#values.length >> 1];
	}
}
