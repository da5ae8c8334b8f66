import type {Strand} from './job.js';
import {SuffixAutomaton} from './suffix-automaton.js';
import type {Drafter} from './types.js';

/** What was said only once before, by a single token, says little about what follows. */
const leastRepeat = 2;

/** Guesses that a text goes on as it did where its end occurred before. */
export class NgramDrafter implements Drafter {
	#seen = new SuffixAutomaton();

	draft({ids}: Strand, count: number): readonly number[] {
		// Tokens may have been taken back.
		if (this.#seen.size > ids.length || this.#seen.at(this.#seen.size - 1) !== ids[this.#seen.size - 1]) {
			this.#seen = new SuffixAutomaton();
		}
		for (let i = this.#seen.size; i < ids.length; i++) this.#seen.push(ids[i]!);
		const {length, end} = this.#seen.repeat;
		// The longer it repeats itself, the longer it will.
		return length < leastRepeat ? [] : ids.slice(end + 1, end + 1 + Math.min(count, 2 * length));
	}
}
