/** Part of a new measurement that goes into the average. */
const weight = 0.2;

/** How much longer than usual a step may take for the sake of a prompt: enough for it to get on, too little to be felt. */
const stretch = 0.5;

/** Prompt tokens that may join a step in any case: a prompt must get somewhere. */
const leastRows = 2;

/** Steps with prompts in a row, before one without: those who stream get slower as their texts grow, which has to be seen. */
const mostMixed = 16;

/**
Decides how many tokens of prompts may join a step without making those who stream wait much longer than usual. It learns
from the steps that ran what a step takes without them, and what each row adds.
*/
export class Pace {
	/** Milliseconds of a step with no rows of prompts. */
	#stepMs: number | undefined;
	/** Milliseconds for each row of a prompt. */
	#rowMs: number | undefined;
	/** Steps since one without rows of prompts. */
	#mixed = 0;

	/** @param streams Rows of jobs that stream. */
	observe(ms: number, streams: number, promptRows: number): void {
		if (streams > 0) this.#mixed = promptRows === 0 ? 0 : this.#mixed + 1;
		if (promptRows === 0) this.#stepMs = average(this.#stepMs, ms);
		else if (streams === 0) this.#rowMs = average(this.#rowMs, ms / promptRows);
		else if (this.#stepMs !== undefined) {
			this.#rowMs = average(this.#rowMs, Math.max(0, ms - this.#stepMs) / promptRows);
		}
	}

	/** Rows of prompts for the next step. @param most If nobody streams. */
	promptRows(streams: number, most: number): number {
		if (streams === 0) return most;
		if (this.#mixed >= mostMixed) return 0;
		if (this.#stepMs === undefined || !this.#rowMs) return leastRows;
		return Math.min(most, Math.max(leastRows, Math.floor((this.#stepMs * stretch) / this.#rowMs)));
	}
}

function average(before: number | undefined, now: number): number {
	if (before === undefined) return now;
	// A pause of the machine is no measurement of ours.
	return before + weight * (Math.min(now, before * 4) - before);
}
