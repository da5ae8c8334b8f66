import type {DetokenizerStream} from '../tokenizer/index.js';

/** A token that may still be taken back. */
type Unsafe = {
	readonly id: number;
	/** Where its text begins in the text that is held. */
	readonly start: number;
	/** As it was before this token. */
	readonly detokenizer: DetokenizerStream;
};

export type GateOutput = {
	/** Text that is free of banned strings, whatever follows. */
	readonly text: string;
	/** How many tokens became safe. */
	readonly safe: number;
};

export type Rewind = {
	/** Tokens to take back, from the end. */
	readonly tokens: number;
	/** Ids that must not take the place of the first of them. */
	readonly banned: readonly number[];
	/** As it was before them. */
	readonly detokenizer: DetokenizerStream;
};

/**
Holds text back as long as it may become a banned string, in any case of letters, and says what to take back when it has
become one: all tokens from the one in which the string begins, which is then not drawn in that place again.

Text is let through by whole tokens, so that nothing that was shown is ever taken back.
*/
export class BannedStrings {
	readonly #strings: readonly string[];
	readonly #longest: number;
	#text = '';
	#unsafe: Unsafe[] = [];
	/** Tokens that were let through. */
	#safe = 0;
	/** What was taken back, by the number of the token. */
	readonly #tried = new Map<number, Set<number>>();

	/** @param strings Non-empty. */
	constructor(strings: readonly string[]) {
		this.#strings = strings.map(fold);
		this.#longest = Math.max(0, ...strings.map(({length}) => length));
	}

	/** Tokens that may still be taken back. */
	get held(): number {
		return this.#unsafe.length;
	}

	/** @param before The detokenizer as it was before the token. */
	push(id: number, piece: string, before: DetokenizerStream): GateOutput | Rewind {
		this.#unsafe.push({id, start: this.#text.length, detokenizer: before});
		this.#text += piece;
		const folded = fold(this.#text);
		const match = this.#firstMatch(folded);
		return match === undefined ? this.#letThrough(this.#text.length - this.#heldLength(folded)) : this.#takeBack(match);
	}

	/** What is held, once no more can follow. */
	flush(): GateOutput {
		return this.#letThrough(this.#text.length);
	}

	#firstMatch(folded: string): number | undefined {
		const found = this.#strings.map(string => folded.indexOf(string)).filter(index => index >= 0);
		return found.length > 0 ? Math.min(...found) : undefined;
	}

	/** Length of the longest end of the text that is the beginning of a banned string. */
	#heldLength(folded: string): number {
		for (let length = Math.min(this.#longest - 1, folded.length); length > 0; length--) {
			const end = folded.slice(-length);
			if (this.#strings.some(string => string.length > length && string.startsWith(end))) return length;
		}
		return 0;
	}

	#letThrough(length: number): GateOutput {
		let safe = 0;
		while (safe < this.#unsafe.length && (this.#unsafe[safe + 1]?.start ?? this.#text.length) <= length) safe++;
		const end = this.#unsafe[safe]?.start ?? this.#text.length;
		const text = this.#text.slice(0, end);
		this.#text = this.#text.slice(end);
		this.#unsafe = this.#unsafe.slice(safe).map(token => ({...token, start: token.start - end}));
		for (let i = 0; i < safe; i++) this.#tried.delete(this.#safe++);
		return {text, safe};
	}

	#takeBack(match: number): Rewind {
		let first = this.#unsafe.findLastIndex(({start}) => start <= match);
		// Tokens without text of their own before it are the first bytes of its first character.
		while (first > 0 && this.#unsafe[first - 1]!.start === this.#unsafe[first]!.start) first--;
		const {id, start, detokenizer} = this.#unsafe[first]!;
		const place = this.#safe + first;
		const banned = (this.#tried.get(place) ?? new Set<number>()).add(id);
		for (const later of this.#tried.keys()) if (later > place) this.#tried.delete(later);
		this.#tried.set(place, banned);

		const tokens = this.#unsafe.length - first;
		this.#unsafe.length = first;
		this.#text = this.#text.slice(0, start);
		return {tokens, banned: [...banned], detokenizer};
	}
}

/** In lower case, except for the few characters that change their length. */
function fold(text: string): string {
	const lower = text.toLowerCase();
	if (lower.length === text.length) return lower;
	return Array.from(text, c => (c.toLowerCase().length === c.length ? c.toLowerCase() : c)).join('');
}
