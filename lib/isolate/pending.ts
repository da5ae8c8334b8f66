import type {Emit} from '../generator/index.js';
import type {LoadProgress} from '../options/index.js';
import {type Batch, unpack} from './batch.js';
import {type Answers, type Call, chunksPerMessage} from './protocol.js';

/** What the caller wants to hear before the answer. */
export type Listeners = {
	readonly signal?: AbortSignal | undefined;
	readonly onChunk?: Emit | undefined;
	readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
};

/** Whoever carries the call out. */
export type Carrier = {
	/** Chunks were taken by their reader. */
	taken(count: number): void;
	/** Waits for the child, or else for the reader: only the child is a reason to keep the process alive. */
	waits(forChild: boolean): void;
	settled(): void;
};

/** A call in flight. */
export class Pending<M extends Call['method'] = Call['method']> {
	readonly method: M;
	readonly answer: Promise<Answers[M]>;
	readonly #listeners: Listeners;
	readonly #carrier: Carrier;
	/** What was received is given out one chunk after another. */
	#given: Promise<void> = Promise.resolve();
	/** Chunks the child does not know to be taken. */
	#taken = 0;
	#answered = false;
	#resolve!: (value: Answers[M]) => void;
	#reject!: (reason: unknown) => void;

	constructor(method: M, listeners: Listeners, carrier: Carrier) {
		this.method = method;
		this.#listeners = listeners;
		this.#carrier = carrier;
		this.answer = new Promise((resolve, reject) => {
			this.#resolve = resolve;
			this.#reject = reject;
		});
		// As of the model's own calls: an answer that nobody awaits must not end the process.
		this.answer.catch(() => {});
	}

	/** Whether the child has no part in it any more. */
	get answered(): boolean {
		return this.#answered;
	}

	progress(progress: LoadProgress): void {
		try {
			this.#listeners.onProgress?.(progress);
		} catch (error) {
			this.fail(error);
		}
	}

	chunks(batch: Batch): void {
		this.#given = this.#given.then(() => this.#give(batch));
	}

	async #give(batch: Batch): Promise<void> {
		for (const chunk of unpack(batch)) {
			const room = this.#listeners.onChunk?.(chunk);
			if (!room) continue;
			this.#carrier.waits(false);
			await room;
			this.#carrier.waits(true);
		}
		this.#taken += batch.texts.length;
		if (this.#taken < chunksPerMessage || this.#answered) return;
		this.#carrier.taken(this.#taken);
		this.#taken = 0;
	}

	/** Settles when the chunks before were given. */
	succeed(value: Answers[M]): void {
		this.#answered = true;
		void this.#given.then(() => {
			this.#carrier.settled();
			this.#resolve(value);
		});
	}

	fail(error: unknown): void {
		this.#answered = true;
		this.#carrier.settled();
		this.#reject(error);
	}
}
