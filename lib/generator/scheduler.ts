import type {PageCopy, PagedSequence, PageTable} from '../cache/index.js';
import {type Batch, BatchBuilder, type Share} from './batch.js';
import type {StepEngine, StepReply} from './engine.js';
import {Job, type JobRequest} from './job.js';
import {Members} from './members.js';
import {Pace} from './pace.js';
import {plan} from './plan.js';
import {Queue, type Waiting} from './queue.js';

/** Steps under way at once: while one runs, the next is planned and waits behind it. */
const mostUnderWay = 2;

/**
Runs any number of jobs over one model and one cache. Each step takes a token of every job that streams and as much of the
prompts as does not hold those up. It sees ids of tokens and of pages, never tensors.
*/
export class Scheduler {
	readonly pages: PageTable;
	readonly #engine: StepEngine;
	readonly #builder: BatchBuilder;
	readonly #pace = new Pace();
	readonly #queue = new Queue();
	readonly #members: Members;
	readonly #paused = new Set<Job>();
	#serial = 0;
	#underWay = 0;
	#steps = 0;
	#lastEnd = 0;
	#pumping = false;
	#waking = false;
	#idle: (() => void)[] = [];

	constructor(engine: StepEngine, pages: PageTable) {
		this.#engine = engine;
		this.pages = pages;
		this.#builder = new BatchBuilder(engine);
		this.#members = new Members(pages, engine.maxSequences);
	}

	get waiting(): number {
		return this.#queue.length;
	}

	get steps(): number {
		return this.#steps;
	}

	/** All jobs that have not ended: those in the batch, those that wait for a reader, those that wait for a place. */
	get jobs(): readonly Job[] {
		return [...this.#members.jobs, ...this.#paused, ...[...this.#queue].filter(item => item instanceof Job)];
	}

	start(request: JobRequest): Job {
		const job = new Job(++this.#serial, request, waiting => this.#admit(waiting));
		this.#enqueue(job);
		this.#wake();
		return job;
	}

	/** Pages of its own for as long as `work` takes, which runs steps of other programs meanwhile. */
	async borrow<T>(tokens: number, signal: AbortSignal, work: (sequence: PagedSequence) => Promise<T>): Promise<T> {
		const sequence = await this.#lend(tokens, signal);
		try {
			return await work(sequence);
		} finally {
			sequence.release();
			this.#pump();
		}
	}

	#lend(tokens: number, signal: AbortSignal): Promise<PagedSequence> {
		signal.throwIfAborted();
		return new Promise((resolve, reject) => {
			const item: Waiting = {
				priority: 0,
				serial: ++this.#serial,
				admit: () => {
					const sequence = this.pages.reserve(tokens);
					if (!sequence) return false;
					signal.removeEventListener('abort', abort);
					resolve(sequence);
					return true;
				},
			};
			const abort = () => {
				this.#queue.remove(item);
				reject(signal.reason);
			};
			signal.addEventListener('abort', abort, {once: true});
			this.#queue.add(item);
			this.#pump();
		});
	}

	/** Ends a job at once; its result rejects with `reason`. */
	abort(job: Job, reason: unknown): void {
		if (this.#end(job)) job.fail(reason);
		this.#pump();
	}

	/** Ends a job in order, with what it has. */
	leave(job: Job): void {
		if (this.#end(job)) {
			job.answer.end('abort');
			job.finish('abort');
		}
		this.#pump();
	}

	/** Ends all jobs; settles when nothing is under way any more. */
	async close(reason: unknown): Promise<void> {
		for (const job of this.jobs) this.abort(job, reason);
		if (this.#underWay > 0) await new Promise<void>(resolve => this.#idle.push(resolve));
	}

	#enqueue(job: Job): void {
		job.state = 'waiting';
		this.#queue.add(job);
	}

	#admit(job: Job): boolean {
		if (job.inFlight > 0) return false;
		const copy = ({from, to}: PageCopy) => this.#guard(this.#engine.copyPages(Int32Array.of(from), Int32Array.of(to)));
		if (!this.#members.add(job, copy)) return false;
		job.state = 'active';
		job.started();
		return true;
	}

	/** A failure shows in the step that follows. */
	#guard(promise: Promise<void>): void {
		promise.catch(() => {});
	}

	/** What is started in one turn of the event loop begins together: a step with one prompt only would keep the others waiting. */
	#wake(): void {
		if (this.#waking) return;
		this.#waking = true;
		setImmediate(() => {
			this.#waking = false;
			this.#pump();
		});
	}

	/** Plans and starts steps as long as there is something to do. */
	#pump(): void {
		if (this.#pumping) return;
		this.#pumping = true;
		try {
			while (this.#underWay < mostUnderWay) {
				this.#queue.admit();
				plan(this.#members.jobs, this.#builder, this.#pace, {
					suspend: job => this.#suspend(job),
					fail: (job, reason) => this.abort(job, reason),
					drafted: () => this.#pump(),
				});
				const batch = this.#builder.take();
				if (!batch) break;
				this.#run(batch);
			}
		} finally {
			this.#pumping = false;
		}
	}

	#run(batch: Batch): void {
		const started = performance.now();
		this.#underWay++;
		const finish = (settle: () => void) => {
			const ended = performance.now();
			this.#pace.observe(ended - Math.max(started, this.#lastEnd), batch.streams, batch.promptRows);
			this.#lastEnd = ended;
			this.#underWay--;
			this.#steps++;
			settle();
			this.#pump();
			if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve();
		};
		this.#engine.run(batch.step).then(
			reply => finish(() => this.#settle(batch, reply)),
			error => finish(() => this.#fail(batch, error)),
		);
	}

	#settle({shares}: Batch, reply: StepReply): void {
		let seen = 0;
		for (const share of shares) {
			const {job} = share;
			const observes = reply.observations && job.request.observes;
			const count = observes ? drawnPlaces(share, reply) : 0;
			const observations = count > 0 ? reply.observations!.slice(seen, seen + count) : [];
			seen += count;
			if (share.epoch !== job.epoch) continue;
			job.inFlight--;
			if (job.state === 'ended') continue;
			try {
				this.#take(share, reply, observations);
			} catch (error) {
				this.abort(job, error);
			}
		}
	}

	#take(share: Share, reply: StepReply, observations: StepReply['observations']): void {
		const {job} = share;
		const verdict = job.take(share, reply, observations ?? [], this.#engine);
		for (const [i, strand] of job.strands.entries()) {
			const certain = strand.ids.length - job.answer.tokenIds.length + job.answer.certain;
			// The last token drawn was not computed yet, nor was what follows a wrong guess.
			const computed = Math.min(share.computed[i]!, strand.ids.length - (share.places > 0 ? 1 : 0), certain);
			strand.sequence?.commit(strand.ids, computed);
			if (share.places > 1 && strand.sequence) strand.planned = strand.ids.length - 1;
		}
		if (verdict?.finish !== undefined) {
			this.#end(job);
			job.finish(verdict.finish);
		} else if (verdict?.rewind) this.#rewind(job, verdict.rewind.banned);
		else if (job.room) this.#pause(job, job.room);
	}

	#rewind(job: Job, banned: readonly number[]): void {
		job.epoch++;
		job.inFlight = 0;
		for (const strand of job.strands) strand.planned = Math.min(strand.planned, strand.ids.length - 1);
		this.#guard(this.#engine.rewind(job.sampler, job.answer.tokenIds.length, Int32Array.from(banned)));
	}

	/** A reader that has enough for now holds up its own job only: that one leaves the batch, and its pages can be used. */
	#pause(job: Job, room: Promise<void>): void {
		if (job.state === 'paused') return;
		this.#members.remove(job);
		this.#queue.remove(job);
		job.state = 'paused';
		this.#paused.add(job);
		void room.then(() => {
			job.room = undefined;
			if (!this.#paused.delete(job)) return;
			this.#enqueue(job);
			this.#pump();
		});
	}

	/** Takes the pages of a job for one that comes before it. It goes on when there are enough. */
	#suspend(job: Job): void {
		this.#members.remove(job);
		this.#enqueue(job);
	}

	/** Whether it had not ended before. */
	#end(job: Job): boolean {
		if (job.state === 'ended') return false;
		this.#members.remove(job);
		this.#paused.delete(job);
		this.#queue.remove(job);
		job.state = 'ended';
		job.request.sampler.release();
		job.request.drafter?.release?.();
		return true;
	}

	#fail({shares}: Batch, error: unknown): void {
		for (const {job} of shares) this.abort(job, error);
	}
}

/** Places of a share that something was drawn for. */
function drawnPlaces({job, output, places}: Share, {ids}: StepReply): number {
	let count = 0;
	while (count < places && ids[output + count * job.strands.length] !== -2) count++;
	return count;
}
