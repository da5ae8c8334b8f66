import type {PagedSequence} from '../cache/index.js';
import {ExlError, logitsNotFinite} from '../errors/index.js';
import type {LogitsHook} from '../sampling/index.js';
import type {Answer, Verdict} from './answer.js';
import type {Share} from './batch.js';
import type {Observation, StepEngine, StepReply} from './engine.js';
import type {Waiting} from './queue.js';
import type {Drafter, Emit, FinishReason, GenerateResult, Timings} from './types.js';

/** What one job asks of the generator, once options are resolved and text is tokens. */
export type JobRequest = {
	/** The prompt; with guidance also the one that logits are pushed away from. */
	readonly prompts: readonly (readonly number[])[];
	/** Draws its tokens; the generator releases it. */
	readonly sampler: {readonly id: number; release(): void};
	readonly answer: Answer;
	readonly maxTokens: number;
	/** Higher ones go first. @default 0 */
	readonly priority: number;
	readonly seed: number;
	readonly hook?: LogitsHook | undefined;
	readonly drafter?: Drafter | undefined;
	/** Whether a step may be queued before the tokens of the one before were seen. */
	readonly pipelines: boolean;
	/** Whether its sampler observes. */
	readonly observes: boolean;
	/** Gives out a chunk; a promise if the reader has enough for now, settled when it wants more. */
	readonly emit: Emit | undefined;
};

/** One sequence of tokens of a job, and how far it is computed. */
export type Strand = {
	/** Prompt, then what was drawn. */
	readonly ids: number[];
	sequence: PagedSequence | undefined;
	/** Of the page table, while the job is in the batch. */
	row: number;
	/** Tokens whose keys and values are there, or will be after the steps under way. */
	planned: number;
};

/** What a job is doing. */
export type JobState = 'waiting' | 'active' | 'paused' | 'ended';

/** A job and where it stands. */
export class Job implements Waiting {
	readonly serial: number;
	readonly request: JobRequest;
	readonly answer: Answer;
	readonly strands: readonly Strand[];
	readonly result: Promise<GenerateResult>;
	readonly admit: () => boolean;
	state: JobState = 'waiting';
	/** Steps under way that it has a share in. */
	inFlight = 0;
	/** Goes up when tokens are taken back: what is under way then no longer counts. */
	epoch = 0;
	/** Guesses for the next step; a promise while they are being made. */
	drafts: readonly number[] | Promise<void> | undefined;
	/** State of the page table in which there was no place for it. */
	triedAt = -1;
	/** Prompt tokens it computed itself. */
	prefilled = 0;
	/** Rows that are due to its prompt from earlier steps. */
	owed = 0;
	/** Settled when the reader wants more; undefined while it does. */
	room: Promise<void> | undefined;
	/** Guesses for one step, at most. */
	draftLength = 4;
	readonly speculation = {drafted: 0, accepted: 0, rounds: 0};

	readonly #times: {readonly added: number; started?: number; first?: number} = {added: performance.now()};
	#settle!: {resolve: (result: GenerateResult) => void; reject: (reason: unknown) => void};

	/** @param admit Starts it if there is a place; whether there was one. */
	constructor(serial: number, request: JobRequest, admit: (job: Job) => boolean) {
		this.serial = serial;
		this.admit = () => admit(this);
		this.request = request;
		this.answer = request.answer;
		this.strands = request.prompts.map(prompt => ({ids: [...prompt], sequence: undefined, row: -1, planned: 0}));
		this.result = new Promise((resolve, reject) => {
			this.#settle = {resolve, reject};
		});
		// Whoever started the job learns of a failure; the promise must not be reported as unhandled besides.
		this.result.catch(() => {});
	}

	get priority(): number {
		return this.request.priority;
	}

	get sampler(): number {
		return this.request.sampler.id;
	}

	get promptLength(): number {
		return this.request.prompts[0]!.length;
	}

	/** Whether a step may follow before this one's token is seen. */
	get pipelines(): boolean {
		return this.request.pipelines;
	}

	/** Whether only the last token is left to compute, or one that is still being drawn. */
	get streams(): boolean {
		return this.strands.every(({ids, planned}) => planned >= ids.length - 1);
	}

	/** Tokens that are to be computed before it streams, by it or by others that share them. */
	get promptLeft(): number {
		return this.strands.reduce((sum, {ids, planned, sequence}) => {
			return sum + ids.length - Math.max(planned, sequence?.ready ?? 0);
		}, 0);
	}

	/** Tokens its answer may still have, those under way not counted. */
	get tokensLeft(): number {
		const underWay = this.strands[0]!.planned - this.strands[0]!.ids.length + 1;
		return this.request.maxTokens - this.answer.tokenIds.length - Math.max(0, underWay);
	}

	started(): void {
		this.#times.started ??= performance.now();
	}

	/**
	Takes what a step drew.

	@param observations Those of this job.
	@returns What the last token meant; undefined in the middle of a prompt.
	@throws What the hook throws, or that no token may come next, or none can because logits are not finite.
	*/
	take(share: Share, reply: StepReply, observations: readonly Observation[], engine: StepEngine): Verdict | undefined {
		if (share.places === 0) return undefined;
		this.#times.first ??= performance.now();
		let verdict: Verdict | undefined;
		let drawn = 0;
		for (; drawn < share.places; drawn++) {
			const id = reply.ids[share.output + drawn * this.strands.length]!;
			if (id === notDrawn) break;
			verdict = this.#takeOne(id, observations[drawn], engine);
			if (verdict.chunk) this.room = this.request.emit?.(verdict.chunk) ?? this.room;
			if (verdict.finish !== undefined || verdict.rewind) break;
		}
		if (share.places > 1) this.#learn(share.places - 1, Math.max(0, Math.min(drawn, share.places) - 1));
		return verdict;
	}

	/** Guesses about as far as guesses are right. */
	#learn(drafted: number, accepted: number): void {
		this.speculation.rounds++;
		this.speculation.drafted += drafted;
		this.speculation.accepted += accepted;
		this.draftLength = accepted === drafted ? Math.min(2 * drafted, mostDrafts) : accepted + 1;
	}

	#takeOne(drawn: number, seen: Observation | undefined, engine: StepEngine): Verdict {
		if (drawn === deferred) return this.#takeHooked(seen!, engine);
		return this.#accept(drawn, seen);
	}

	#accept(id: number, seen: Observation | undefined): Verdict {
		if (id === notFinite) throw logitsNotFinite('the model');
		if (id < 0) {
			const message = 'the options and filters of this job leave no token that may come next';
			throw new ExlError('EXL_INVALID_ARGUMENT', message);
		}
		for (const {ids} of this.strands) ids.push(id);
		const verdict = this.answer.push(id, seen);
		if (verdict.rewind) for (const {ids} of this.strands) ids.length -= verdict.rewind.tokens;
		return verdict;
	}

	#takeHooked(seen: Observation, engine: StepEngine): Verdict {
		const given = seen.logits!;
		const logProbs = logProbsOf(given);
		const returned: unknown = this.request.hook!(given, this.strands[0]!.ids);
		const changed = returned === undefined ? given : returned;
		if (!(changed instanceof Float32Array) || changed.length !== given.length) {
			const message = `logitsHook must return nothing or a Float32Array of ${given.length} elements`;
			throw new ExlError('EXL_INVALID_ARGUMENT', message, {op: 'logitsHook'});
		}
		const id = engine.draw(this.sampler, changed);
		if (id === notFinite) {
			const message =
				'logitsHook must leave numbers or -Infinity, and not only -Infinity; NaN and Infinity cannot be drawn from';
			throw new ExlError('EXL_INVALID_ARGUMENT', message, {op: 'logitsHook'});
		}
		return this.#accept(id, {...seen, id, logProb: logProbs[id] ?? 0, logits: changed});
	}

	finish(finishReason: FinishReason): void {
		const {tokenIds, text, details} = this.answer;
		this.#settle.resolve({
			text,
			tokenIds: [...tokenIds],
			promptTokens: this.promptLength,
			completionTokens: tokenIds.length,
			cachedTokens: this.#cachedTokens,
			finishReason,
			seed: this.request.seed,
			timings: this.#timings(),
			...(details.length > 0 && {details}),
			...(this.request.drafter && {speculation: this.speculation}),
		});
	}

	fail(reason: unknown): void {
		this.#settle.reject(reason);
	}

	/** Prompt tokens found in the cache. Tokens computed again after a suspension count once. */
	get #cachedTokens(): number {
		return Math.max(0, this.promptLength - this.prefilled);
	}

	#timings(): Timings {
		const ended = performance.now();
		const {added, started = ended, first = ended} = this.#times;
		const [promptMs, decodeMs] = [first - started, ended - first];
		return {
			queueMs: started - added,
			promptMs,
			decodeMs,
			promptTokensPerSecond: perSecond(this.promptLength - this.#cachedTokens, promptMs),
			tokensPerSecond: perSecond(this.answer.tokenIds.length - 1, decodeMs),
		};
	}
}

function logProbsOf(logits: Float32Array): Float64Array {
	const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
	const total = most + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
	return Float64Array.from(logits, logit => logit - total);
}

/** Guesses checked in one step, at most. */
const mostDrafts = 16;

const notDrawn = -2;
const deferred = -3;
const notFinite = -4;

function perSecond(count: number, milliseconds: number): number {
	return count > 0 && milliseconds > 0 ? (count * 1000) / milliseconds : 0;
}
