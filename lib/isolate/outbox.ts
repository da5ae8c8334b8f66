import type {Chunk} from '../generator/index.js';
import {chunksInFlight, chunksPerMessage, messageIntervalMs} from './protocol.js';

/** Gathers the chunks of one job into few messages, and says when their reader falls behind. Lives in the child. */
export class Outbox {
	readonly #send: (chunks: readonly Chunk[]) => void;
	#waiting: Chunk[] = [];
	/** Chunks the reader has not taken yet. */
	#ahead = 0;
	#sentAt = Number.NEGATIVE_INFINITY;
	#room: (() => void) | undefined;
	#left = false;

	constructor(send: (chunks: readonly Chunk[]) => void) {
		this.#send = send;
	}

	/** Whether the reader left. */
	get left(): boolean {
		return this.#left;
	}

	/** A promise that settles when there is room for more, or nothing if there is. */
	push(chunk: Chunk): Promise<void> | undefined {
		if (this.#left) return undefined;
		this.#waiting.push(chunk);
		this.#ahead++;
		const isFull = this.#ahead >= chunksInFlight;
		const isDue = performance.now() - this.#sentAt >= messageIntervalMs;
		if (isDue || this.#waiting.length >= chunksPerMessage) this.flush();
		if (!isFull) return undefined;
		return new Promise(resolve => {
			this.#room = resolve;
		});
	}

	flush(): void {
		if (this.#waiting.length === 0) return;
		this.#send(this.#waiting);
		this.#waiting = [];
		this.#sentAt = performance.now();
	}

	taken(count: number): void {
		this.#ahead -= count;
		if (this.#ahead < chunksInFlight) this.#room?.();
	}

	/** Nobody reads any more: whoever waits for room may go on, to find that out. */
	leave(): void {
		this.#left = true;
		this.#waiting = [];
		this.#room?.();
	}
}
