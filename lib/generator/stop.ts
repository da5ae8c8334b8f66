export type StopOutput = {
	/** What can be shown now: never part of a stop string. */
	readonly text: string;
	/** Whether a stop string was met; it and everything after it are dropped. */
	readonly stopped: boolean;
};

/**
Looks for stop strings in text that arrives in pieces.

The text ends at the first moment it contains a stop string, and just before it: of several that end there, before the
longest. How the text was cut into pieces makes no difference.
*/
export class StopMatcher {
	readonly #stops: readonly string[];
	readonly #longest: number;
	#held = '';
	#stopped = false;

	/** @param stops Non-empty strings. */
	constructor(stops: readonly string[]) {
		this.#stops = stops;
		this.#longest = Math.max(0, ...stops.map(stop => stop.length));
	}

	push(piece: string): StopOutput {
		if (this.#stopped) return {text: '', stopped: true};

		// A stop string that ends in `piece` begins in what is held: that is the longest beginning of any.
		const text = this.#held + piece;
		const start = this.#firstMatch(text);
		this.#stopped = start !== undefined;

		const end = start ?? text.length - this.#heldLength(text);
		this.#held = start === undefined ? text.slice(end) : '';
		return {text: text.slice(0, end), stopped: this.#stopped};
	}

	/** Text that was held back, once no more can follow. */
	flush(): string {
		const rest = this.#held;
		this.#held = '';
		return rest;
	}

	#firstMatch(text: string): number | undefined {
		let start: number | undefined;
		let end = Number.POSITIVE_INFINITY;
		for (const stop of this.#stops) {
			const index = text.indexOf(stop);
			if (index < 0 || index + stop.length > end) continue;
			start = index + stop.length < end ? index : Math.min(index, start!);
			end = index + stop.length;
		}
		return start;
	}

	#heldLength(text: string): number {
		for (let length = Math.min(this.#longest - 1, text.length); length > 0; length--) {
			const suffix = text.slice(-length);
			if (this.#stops.some(stop => stop.length > length && stop.startsWith(suffix))) return length;
		}
		return 0;
	}
}
