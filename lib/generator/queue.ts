/** What waits for a place: in the batch, in the cache, or both. */
export type Waiting = {
	/** Higher ones go first, and of equal ones the one that came first. */
	readonly priority: number;
	readonly serial: number;
	/** Starts it if there is a place. Whether there was one. */
	admit(): boolean;
};

/** How many may overtake one that does not fit. */
const mostSkips = 4;

/** How many are looked at for one that fits. */
const window = 32;

/** Lets waiting ones in, in order; smaller ones may overtake one that does not fit, but not for ever. */
export class Queue {
	readonly #waiting: Waiting[] = [];
	readonly #skips = new WeakMap<Waiting, number>();

	get length(): number {
		return this.#waiting.length;
	}

	[Symbol.iterator](): IterableIterator<Waiting> {
		return this.#waiting.values();
	}

	add(item: Waiting): void {
		const goesAfter = (other: Waiting) =>
			item.priority < other.priority || (item.priority === other.priority && item.serial > other.serial);
		this.#waiting.splice(this.#waiting.findLastIndex(goesAfter) + 1, 0, item);
	}

	remove(item: Waiting): void {
		const at = this.#waiting.indexOf(item);
		if (at >= 0) this.#waiting.splice(at, 1);
	}

	admit(): void {
		const overtaken: Waiting[] = [];
		for (const item of this.#waiting.slice(0, window)) {
			if (item.admit()) {
				this.remove(item);
				for (const other of overtaken) this.#skips.set(other, this.#skipsOf(other) + 1);
			} else if (this.#skipsOf(item) >= mostSkips) return;
			else overtaken.push(item);
		}
	}

	#skipsOf(item: Waiting): number {
		return this.#skips.get(item) ?? 0;
	}
}
