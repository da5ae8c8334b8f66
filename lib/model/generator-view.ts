import * as v from 'valibot';
import type {PageStatistics} from '../cache/index.js';
import {type JobState, onAbort, type Scheduler} from '../generator/index.js';
import {abortSignal, numberWhere, optionsOf, parseOptions} from '../options/index.js';

/** A job that has begun and not ended. */
export type JobInfo = {
	/** In the order jobs were started. */
	readonly id: number;
	/** In the batch, waiting for a place in it, or waiting for its reader. */
	readonly state: JobState;
	readonly priority: number;
	readonly promptTokens: number;
	readonly completionTokens: number;
};

/** What the jobs, the queue and the cache of a model are doing. */
export type GeneratorSnapshot = {
	readonly jobs: readonly JobInfo[];
	/** Calls that wait for a place in the batch or the cache. */
	readonly waiting: number;
	/** Steps so far. */
	readonly steps: number;
	/** Of the cache: 256 tokens each. */
	readonly pages: PageStatistics;
};

/** How often to look, and how long. */
export type ObserveOptions = {
	/** 1 to 2^31 - 1. @default 250 */
	readonly intervalMs?: number | undefined;
	readonly signal?: AbortSignal | undefined;
};

const observeOptions = optionsOf({
	intervalMs: v.optional(
		numberWhere('a number from 1 to 2147483647', n => n >= 1 && n <= 2 ** 31 - 1),
		250,
	),
	signal: v.optional(abortSignal),
});

/** For dashboards: what the jobs of a model are doing. */
export class GeneratorView {
	readonly #take: () => Promise<GeneratorSnapshot>;

	/** @internal */
	constructor(take: () => Promise<GeneratorSnapshot>) {
		this.#take = take;
	}

	/** What they are doing now. Rejects with `EXL_DISPOSED`. */
	snapshot(): Promise<GeneratorSnapshot> {
		return this.#take();
	}

	/**
	A snapshot now, and from then on every `intervalMs` milliseconds in which something happened. Leave the loop to end it.

	It never throws: errors come out of the stream, `EXL_INVALID_ARGUMENT` and `EXL_DISPOSED`.
	*/
	async *observe(options: ObserveOptions = {}): AsyncGenerator<GeneratorSnapshot, void, undefined> {
		const {intervalMs, signal} = parseOptions(observeOptions, options, 'observe()');
		let last: GeneratorSnapshot | undefined;
		while (!signal?.aborted) {
			const next = await this.#take();
			if (!last || isDifferent(last, next)) yield next;
			last = next;
			await pause(intervalMs, signal);
		}
	}
}

function isDifferent(a: GeneratorSnapshot, b: GeneratorSnapshot): boolean {
	return a.steps !== b.steps || a.waiting !== b.waiting || a.jobs.length !== b.jobs.length;
}

/** Whoever watches is no reason for the process to stay alive. */
async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
	let unlink = () => {};
	await new Promise<void>(resolve => {
		const timer = setTimeout(resolve, milliseconds).unref();
		unlink = onAbort(signal, () => {
			clearTimeout(timer);
			resolve();
		});
	});
	unlink();
}

export function snapshotOf({jobs, waiting, steps, pages}: Scheduler): GeneratorSnapshot {
	const infos = jobs.map(({serial, state, priority, promptLength, answer}) => ({
		id: serial,
		state,
		priority,
		promptTokens: promptLength,
		completionTokens: answer.tokenIds.length,
	}));
	return {jobs: infos, waiting, steps, pages: pages.statistics};
}
