/** Tokens in a page; native/core/cache.h has the same number. */
export const pageTokens = 256;

/** What a sequence holds of the cache until it is released. */
export type SequencePages = {
	/** Row of the page table: `pages[i]` holds the tokens from `i * pageTokens` on. */
	readonly pages: Int32Array;
	release(): void;
};

/**
Hands out the pages of a cache. This one lends all of them to one sequence at a time, in order, so that it is one
contiguous run of tokens.
*/
export class ContiguousPages {
	readonly pageCount: number;
	#lent = false;

	/** @param tokens Rounded up to whole pages. */
	constructor(tokens: number) {
		this.pageCount = Math.ceil(tokens / pageTokens);
	}

	get tokens(): number {
		return this.pageCount * pageTokens;
	}

	/** Pages for one sequence; undefined while another has them. */
	acquire(): SequencePages | undefined {
		if (this.#lent) return undefined;
		this.#lent = true;
		const release = () => {
			this.#lent = false;
		};
		return {pages: Int32Array.from({length: this.pageCount}, (_, i) => i), release};
	}
}
