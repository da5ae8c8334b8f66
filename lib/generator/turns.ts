import type {Job} from './job.js';

/** Of the rows of a step, what the prompt that came first has in any case. */
const firstPart = 1 / 4;

/**
Divides the rows of a step among prompts: higher priorities first, and of equal ones the prompt of which least is left,
which keeps everybody's wait short on the average. So that a long prompt gets on however many short ones come, the one
that came first has a quarter of the rows of its priority: then the next is the first.

@param prompts In the order of their priority and arrival.
@param budget Rows.
@param add Computes up to so many rows of a prompt; how many it took.
*/
export function takeTurns(prompts: readonly Job[], budget: number, add: (job: Job, most: number) => number): void {
	let left = budget;
	for (let at = 0; at < prompts.length && left > 0; ) {
		const {priority} = prompts[at]!;
		const next = prompts.findIndex((job, i) => i > at && job.priority !== priority);
		const end = next < 0 ? prompts.length : next;
		left -= divide(prompts.slice(at, end), left, add);
		at = end;
	}
}

/** @returns Rows that were taken. */
function divide(prompts: readonly Job[], budget: number, add: (job: Job, most: number) => number): number {
	const first = prompts[0]!;
	// A fraction of a row is carried over to later steps.
	first.owed = Math.min(first.owed + budget * firstPart, budget);
	const promised = Math.min(Math.floor(first.owed), first.promptLeft);
	let taken = 0;
	let isServed = false;
	const lengths = new Map(prompts.map(job => [job, job.promptLeft]));
	for (const job of [...prompts].sort((a, b) => lengths.get(a)! - lengths.get(b)!)) {
		if (job === first) isServed = true;
		const count = add(job, budget - taken - (isServed ? 0 : promised));
		if (job === first) first.owed = Math.max(0, first.owed - count);
		taken += count;
		if (taken >= budget) break;
	}
	return taken;
}
