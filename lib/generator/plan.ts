import type {BatchBuilder, Run} from './batch.js';
import type {Job, Strand} from './job.js';
import type {Pace} from './pace.js';
import {takeTurns} from './turns.js';

/** Stands for a token that is still being drawn. */
const lastDrawn = -1;

export type PlanActions = {
	/** Takes all pages of a job, which then has to wait. */
	readonly suspend: (job: Job) => void;
	readonly fail: (job: Job, reason: unknown) => void;
	/** Guesses have arrived: there may be more to do. */
	readonly drafted: () => void;
};

/**
Plans a step: the next token of every job that streams, then as much of the prompts as fits.

@param active In the order of their priority; the last ones give up their pages first.
*/
export function plan(active: readonly Job[], builder: BatchBuilder, pace: Pace, actions: PlanActions): void {
	for (const job of [...active]) {
		if (job.state === 'active' && job.streams) addToken(job, active, builder, actions);
	}
	// Also those whose token is being drawn right now, unless it is their last: they come back after this step.
	const streams = active.filter(job => job.streams && job.tokensLeft > 0).length;
	const prompts = active.filter(job => !job.streams);
	const budget = Math.min(pace.promptRows(streams, builder.rowsLeft), builder.rowsLeft);
	takeTurns(prompts, budget, (job, most) => addPrompt(job, builder, most));
}

function addToken(job: Job, active: readonly Job[], builder: BatchBuilder, actions: PlanActions): void {
	const [first] = job.strands;
	const pending = first!.ids.length - first!.planned;
	// The token of the step before is still being drawn; if nobody has to see it first, the next step may follow at once.
	if (pending < 0 || (pending === 0 && (job.tokensLeft < 1 || !job.pipelines))) return;

	// Those that come later need an output each, and so do prompts that end in this step.
	const at = active.indexOf(job);
	const needed = active.reduce((sum, other, i) => sum + (i >= at || !other.streams ? other.strands.length : 0), 0);
	const spare = builder.outputsLeft - needed;
	const drafts = pending === 1 ? draftsOf(job, Math.floor(spare / job.strands.length), active, actions) : [];
	if (!drafts) return;
	const count = 1 + drafts.length;
	if (builder.rowsLeft < count * job.strands.length || builder.outputsLeft < count * job.strands.length) return;
	if (!makeRoom(job, count, active, actions)) return;
	job.drafts = undefined;
	const runs = job.strands.map(strand => {
		const last = pending === 1 ? strand.ids.at(-1)! : lastDrawn;
		return {strand, from: strand.planned, tokens: [last, ...drafts]};
	});
	if (job.answer.tokenIds.length === 0 && pending === 1) job.prefilled++;
	builder.add(job, runs, count, true);
}

/** Guesses for the next step; undefined while they are being made. */
function draftsOf(
	job: Job,
	spare: number,
	active: readonly Job[],
	actions: PlanActions,
): readonly number[] | undefined {
	const {drafter} = job.request;
	const most = Math.min(spare, job.draftLength, job.tokensLeft - 1);
	if (!drafter || most < 1) return [];
	if (job.drafts === undefined) {
		if (!makeRoom(job, 1 + most, active, actions)) return undefined;
		const drafts = drafter.draft(job.strands[0]!, most);
		if (!(drafts instanceof Promise)) return drafts.slice(0, most);
		job.drafts = drafts.then(
			list => {
				job.drafts = list;
				actions.drafted();
			},
			error => actions.fail(job, error),
		);
	}
	return job.drafts instanceof Promise ? undefined : job.drafts.slice(0, most);
}

/** Pages for `count` tokens more, if need be those of jobs that come later. */
function makeRoom(job: Job, count: number, active: readonly Job[], {suspend}: PlanActions): boolean {
	for (const strand of job.strands) {
		while (strand.sequence!.room < strand.planned + count) {
			if (strand.sequence!.grow()) continue;
			const last = active.at(-1)!;
			suspend(last);
			if (last === job) return false;
		}
	}
	return true;
}

/** @param budget Rows it may take. @returns Rows it took. */
function addPrompt(job: Job, builder: BatchBuilder, budget: number): number {
	let left = budget;
	const parts = job.strands.map(strand => {
		const end = strand.ids.length - 1;
		const {from, to} = strand.sequence!.claim(strand.planned, end, left);
		left -= to - from;
		return {strand, from, to};
	});
	// The last token of each has to be in one step, for its logits.
	const isLast = parts.every(({strand, to}) => to === strand.ids.length - 1);
	const finishes = isLast && left >= parts.length && builder.outputsLeft >= parts.length;
	const runs = parts.map(({strand, from, to}): Run => {
		strand.planned = to;
		return {strand, from, tokens: strand.ids.slice(from, to + (finishes ? 1 : 0))};
	});
	const rows = runs.reduce((sum, {tokens}) => sum + tokens.length, 0);
	if (rows === 0) return 0;
	if (job.answer.tokenIds.length === 0) job.prefilled += runs[0]!.tokens.length;
	builder.add(job, finishes ? runs : runs.filter(hasTokens), finishes ? 1 : 0, false);
	return rows;
}

function hasTokens({tokens}: {readonly strand: Strand; readonly tokens: readonly number[]}): boolean {
	return tokens.length > 0;
}
