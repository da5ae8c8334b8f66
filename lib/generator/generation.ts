import {Gate} from './gate.js';
import type {Chunk, Emit, GenerateResult} from './types.js';

/** Chunks that may wait for a slow reader before its job pauses. */
const aheadLimit = 32;

/** Starts the job and stops it at `signal`. Without `emit` nobody reads chunks. */
export type StartJob = (signal: AbortSignal, emit: Emit | undefined) => Promise<GenerateResult>;

/**
An answer in the making. Iterate it for chunks, or await `text()` or `result`; the job starts when one of them is first
asked for. Leaving the loop early ends the job and frees what it held. Whatever goes wrong, from the options on, is the
same error in all three.
*/
export class Generation implements AsyncIterable<Chunk> {
	readonly #start: StartJob;
	readonly #left = new AbortController();
	#result: Promise<GenerateResult> | undefined;
	#reader: Reader | undefined;

	constructor(start: StartJob) {
		this.#start = start;
	}

	/** One of a job that is prepared at once. What is wrong with it comes out of the stream, as everything later does. */
	static prepare(prepare: () => StartJob): Generation {
		try {
			return new Generation(prepare());
		} catch (error) {
			return new Generation(() => Promise.reject(error));
		}
	}

	/** Everything about the finished answer. Rejects with the signal's reason if the call was aborted. */
	get result(): Promise<GenerateResult> {
		// Whoever waits here reads no chunks meanwhile.
		this.#reader?.takeAll();
		return this.#run();
	}

	#run(): Promise<GenerateResult> {
		if (!this.#result) {
			const reader = this.#reader;
			this.#result = this.#start(this.#left.signal, reader && (chunk => reader.push(chunk)));
			// Whoever iterates learns of a failure there; the promise must not be reported as unhandled besides.
			this.#result.catch(() => {});
		}
		return this.#result;
	}

	/** @internal Runs the job with `emit` in the place of a reader. */
	pipe(emit: Emit): Promise<GenerateResult> {
		this.#result ??= this.#start(this.#left.signal, emit);
		return this.#result;
	}

	/** @internal Ends the job in order. */
	leave(): void {
		this.#left.abort();
	}

	/** The whole text. */
	async text(): Promise<string> {
		return (await this.result).text;
	}

	/** Chunks as they come; one chunk with all of it if nobody iterated when the job started. */
	async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, void, undefined> {
		if (this.#result) {
			// The job runs or has run without a reader: all of it comes as one chunk.
			const {text, tokenIds} = await this.result;
			yield {text, tokenIds};
			return;
		}
		const reader = new Reader();
		this.#reader = reader;
		const done = this.#run().then(
			() => reader.end(),
			error => reader.end(error),
		);
		try {
			yield* reader.chunks();
		} finally {
			this.#left.abort();
			reader.end();
			await done;
		}
	}
}

/** A queue between a job and its reader. */
class Reader {
	readonly #queue: Chunk[] = [];
	#limit = aheadLimit;
	#ended = false;
	#error: unknown;
	#wake: (() => void) | undefined;
	readonly #room = new Gate();

	/** A promise that settles when there is room for more, or nothing if there is. */
	push(chunk: Chunk): Promise<void> | undefined {
		if (this.#ended) return undefined;
		this.#queue.push(chunk);
		this.#wake?.();
		if (this.#queue.length < this.#limit) return undefined;
		return this.#room.wait();
	}

	/** Lets the job run on however slow the reader is. */
	takeAll(): void {
		this.#limit = Number.POSITIVE_INFINITY;
		this.#room.open();
	}

	end(error?: unknown): void {
		if (this.#ended) return;
		this.#ended = true;
		this.#error = error;
		this.#wake?.();
		this.#room.open();
	}

	async *chunks(): AsyncGenerator<Chunk, void, undefined> {
		for (;;) {
			const chunk = this.#queue.shift();
			if (chunk) {
				// Not at once: to leave the batch and to come back to it takes a little.
				if (this.#queue.length <= this.#limit / 2) this.#room.open();
				yield chunk;
			} else if (this.#ended) {
				if (this.#error !== undefined) throw this.#error;
				return;
			} else {
				await new Promise<void>(resolve => {
					this.#wake = resolve;
				});
			}
		}
	}
}
