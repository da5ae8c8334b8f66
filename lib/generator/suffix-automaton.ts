/** How many suffixes of the text learn where they were seen last, with each token. */
const mostUpdates = 16;

/**
All that occurs in a growing list of tokens: a state stands for sequences that end in the same places (Blumer et al., 1985).
Adding a token and asking for the longest end of the list that occurred before take constant time on average.
*/
export class SuffixAutomaton {
	readonly #ids: number[] = [];
	/** Of each state: the longest sequence it stands for, the state of the longest other one that ends it, and what follows. */
	readonly #length = [0];
	readonly #link = [-1];
	readonly #next: Map<number, number>[] = [new Map()];
	/** Index of the token that ended it when it was met last. */
	readonly #end = [-1];
	#last = 0;
	#repeat = {length: 0, end: -1};

	get size(): number {
		return this.#ids.length;
	}

	/** The longest end of the list that is also somewhere before, and the index at which it ended there. */
	get repeat(): {readonly length: number; readonly end: number} {
		return this.#repeat;
	}

	at(index: number): number | undefined {
		return this.#ids[index];
	}

	push(id: number): void {
		const state = this.#add(this.#length[this.#last]! + 1, this.#ids.length);
		this.#ids.push(id);
		let from = this.#last;
		for (; from >= 0 && !this.#next[from]!.has(id); from = this.#link[from]!) this.#next[from]!.set(id, state);
		this.#link[state] = from < 0 ? 0 : this.#split(from, id);
		this.#last = state;

		const longest = this.#link[state]!;
		this.#repeat = {length: this.#length[longest]!, end: this.#end[longest]!};
		let other = longest;
		for (let i = 0; i < mostUpdates && other > 0; i++, other = this.#link[other]!)
			this.#end[other] = this.#ids.length - 1;
	}

	/** The state that stands for exactly what `from` stands for and `id`. */
	#split(from: number, id: number): number {
		const target = this.#next[from]!.get(id)!;
		if (this.#length[target] === this.#length[from]! + 1) return target;
		const copy = this.#add(this.#length[from]! + 1, this.#end[target]!);
		this.#next[copy] = new Map(this.#next[target]);
		this.#link[copy] = this.#link[target]!;
		this.#link[target] = copy;
		for (let state = from; state >= 0 && this.#next[state]!.get(id) === target; state = this.#link[state]!) {
			this.#next[state]!.set(id, copy);
		}
		return copy;
	}

	#add(length: number, end: number): number {
		this.#length.push(length);
		this.#link.push(-1);
		this.#next.push(new Map());
		return this.#end.push(end) - 1;
	}
}
