import type {Tokenizer} from './tokenizer.js';

const replacement = '\uFFFD';

// A character has at most four bytes and a token at least one, so an unfinished character lies in the last three tokens.
const contextTokens = 4;
const windowTokens = 8;

export type DetokenizerStreamOptions = {
	/** Whether special tokens are written out. @default false */
	readonly special?: boolean | undefined;

	/** Ids before the first one pushed, such as the prompt. Their text is not emitted; the space after it is kept right. */
	readonly context?: readonly number[] | undefined;
};

/**
Text of a sequence that arrives one id at a time. Everything emitted, joined, is `decode(context + ids)` without the
text of the context.

How a token reads depends on its neighbours: a decoder drops the first space of a text, and several tokens may share a
character. So each id is decoded together with a few before it, never with the whole sequence.
*/
export class DetokenizerStream {
	readonly #tokenizer: Tokenizer;
	readonly #special: boolean;
	#window: number[];
	/** Length of the part of the window's text that was emitted; undefined: all of it. */
	#emitted: number | undefined;
	/** Length of the rest. */
	#held = 0;

	constructor(tokenizer: Tokenizer, {special = false, context = []}: DetokenizerStreamOptions = {}) {
		this.#tokenizer = tokenizer;
		this.#special = special;
		this.#window = context.filter(id => tokenizer.shows(id, special)).slice(-contextTokens);
		const text = this.#text();
		this.#emitted = stableLength(text);
		this.#held = text.length - this.#emitted;
	}

	/** One that goes on from here on its own. */
	clone(): DetokenizerStream {
		const copy = new DetokenizerStream(this.#tokenizer, {special: this.#special});
		copy.#window = this.#window;
		copy.#emitted = this.#emitted;
		copy.#held = this.#held;
		return copy;
	}

	/**
	Text that is certain after this id; may be empty.

	@throws {ExlError} `EXL_INVALID_ARGUMENT` for an id outside of the vocabulary.
	*/
	push(id: number): string {
		if (!this.#tokenizer.shows(id, this.#special)) return '';

		// Nearly always, as decoding a few tokens for each costs more than all else that is done for it.
		const piece = this.#held === 0 && this.#window.length > 0 ? this.#tokenizer.localPiece(id) : undefined;
		if (piece !== undefined) {
			this.#window = [id];
			this.#emitted = undefined;
			return piece;
		}

		const emitted = this.#emitted ?? this.#text().length;
		this.#window = [...this.#window, id];
		const text = this.#text();
		const stable = stableLength(text);
		this.#emitted = Math.max(emitted, stable);
		this.#held = text.length - stable;
		if (this.#held === 0) this.#keep(1);
		else if (this.#window.length > windowTokens) this.#keep(contextTokens);
		return text.slice(emitted, stable);
	}

	/** What was held back: at most one unfinished character, as U+FFFD. */
	flush(): string {
		if (this.#held === 0) return '';
		const text = this.#text();
		const rest = text.slice(this.#emitted);
		this.#emitted = text.length;
		this.#held = 0;
		return rest;
	}

	#keep(tokens: number): void {
		this.#window = this.#window.slice(-tokens);
		this.#emitted = this.#text().length - this.#held;
	}

	#text(): string {
		return this.#tokenizer.decode(this.#window, {special: this.#special});
	}
}

/** Later bytes can only change the last character, and only if it is U+FFFD: a UTF-8 decoder writes one for a started character. */
function stableLength(text: string): number {
	return text.endsWith(replacement) ? text.length - 1 : text.length;
}
