import {chain, type Page, pageTokens, root} from './page.js';
import type {PageTable} from './page-table.js';

/** The pages of one sequence of tokens, until they are released. */
export class PagedSequence {
	readonly #table: PageTable;
	readonly #pages: Page[];
	/** Of its full pages, as far as they are known. */
	readonly #hashes: string[];
	/** Tokens from the beginning whose keys and values are there. */
	#ready = 0;

	/** @internal Made by `PageTable.open()`. */
	constructor(table: PageTable, pages: Page[], hashes: string[]) {
		this.#table = table;
		this.#pages = pages;
		this.#hashes = hashes;
	}

	/** How many tokens, from the first on, have keys and values: whoever computed them. */
	get ready(): number {
		for (;;) {
			const index = Math.floor(this.#ready / pageTokens);
			const end = index * pageTokens + (this.#pages[index]?.filled ?? 0);
			if (end <= this.#ready) return this.#ready;
			this.#ready = end;
		}
	}

	/** Tokens its pages have room for. */
	get room(): number {
		return this.#pages.length * pageTokens;
	}

	get pageCount(): number {
		return this.#pages.length;
	}

	/** Writes the numbers of its pages from `at` on. */
	writeRow(row: Int32Array, at: number): void {
		for (const [i, page] of this.#pages.entries()) row[at + i] = page.id;
	}

	/** Adds a page. Whether there was one. */
	grow(): boolean {
		if (this.#table.available === 0) return false;
		this.#pages.push(this.#table.take());
		return true;
	}

	/**
	The next tokens, from `position` to before `end` and at most `most`, that this sequence is to compute: not those that are
	there, and none that another one is computing. Nobody else will compute them, until it is released.
	*/
	claim(position: number, end: number, most: number): {from: number; to: number} {
		let from = position;
		for (;;) {
			const index = Math.floor(from / pageTokens);
			const there = index * pageTokens + (this.#pages[index]?.filled ?? 0);
			if (there <= from) break;
			from = there;
		}
		const last = Math.min(end, from + most);
		let to = from;
		while (to < last) {
			const index = Math.floor(to / pageTokens);
			const page = this.#pages[index]!;
			if (page.filler !== undefined && page.filler !== this) break;
			if (to > from && page.filled > 0) break;
			page.filler = this;
			to = Math.min(last, (index + 1) * pageTokens);
		}
		return {from, to};
	}

	/** The first `count` tokens of `ids` are certain, and their keys and values there. */
	commit(ids: readonly number[], count: number): void {
		let from = this.ready;
		while (from < count) {
			const index = Math.floor(from / pageTokens);
			const start = index * pageTokens;
			const end = Math.min(count, start + pageTokens);
			const page = this.#pages[index]!;
			this.#table.fill(page, this.#parent(index), ids, start, end - start);
			if (page.isFull) {
				page.filler = undefined;
				const hash = page.hash ?? chain(page.parent!, page.tokens);
				this.#pages[index] = this.#table.complete(page, hash);
				this.#hashes[index] = hash;
			}
			this.#ready = from = end;
		}
	}

	#parent(index: number): string {
		return index === 0 ? root : this.#hashes[index - 1]!;
	}

	/** Gives all pages back. May be called again. */
	release(): void {
		// The last page first: what is least likely to be met again is the first to be used for something else.
		for (const page of this.#pages.splice(0).reverse()) {
			if (page.filler === this) page.filler = undefined;
			this.#table.letGo(page);
		}
	}
}
