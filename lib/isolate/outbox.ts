import {type Chunk, Gate} from '../generator/index.js';
import {chunksInFlight, chunksPerMessage, messageIntervalMs} from './protocol.js';

/** Gathers the chunks of one job into few messages, and says when their reader falls behind. Lives in the child. */
export class Outbox {
	readonly #send: (chunks: readonly Chunk[]) => void;
	#waiting: Chunk[] = [];
	/** Chunks the reader has not taken yet. */
	#ahead = 0;
	#sentAt = Number.NEGATIVE_INFINITY;
	readonly #room = new Gate();
	#left = false;
	/** Called when the reader leaves. */
	onLeave = () => {};

	constructor(send: (chunks: readonly Chunk[]) => void) {
		this.#send = send;
	}

	/** A promise that settles when there is room for more, or nothing if there is. */
	push(chunk: Chunk): Promise<void> | undefined {
		if (this.#left) return undefined;
		this.#waiting.push(chunk);
		this.#ahead++;
		const isDue = performance.now() - this.#sentAt >= messageIntervalMs;
		if (isDue || this.#waiting.length >= chunksPerMessage) this.flush();
		if (this.#ahead < chunksInFlight) return undefined;
		return this.#room.wait();
	}

	flush(): void {
		if (this.#waiting.length === 0) return;
		this.#send(this.#waiting);
		this.#waiting = [];
		this.#sentAt = performance.now();
	}

	/** What is left at the end, to go with the answer. */
	rest(): readonly Chunk[] {
		const rest = this.#waiting;
		this.#waiting = [];
		return rest;
	}

	taken(count: number): void {
		this.#ahead -= count;
		if (this.#ahead < chunksInFlight) this.#room.open();
	}

	/** Nobody reads any more. */
	leave(): void {
		this.#left = true;
		this.#waiting = [];
		this.#room.open();
		this.onLeave();
	}
}
