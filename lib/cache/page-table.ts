import {chain, Page, pageTokens, root} from './page.js';
import {PagedSequence} from './sequence.js';

/** Fewer tokens in common than this are computed rather than copied from another page. */
const leastCopied = 8;

/** Pages of a key/value cache, counted. */
export type PageStatistics = {
	readonly total: number;
	/** Held by at least one sequence. */
	readonly used: number;
	/** Held by at least two. */
	readonly shared: number;
	/** Held by nobody, with content that a sequence may take up again. */
	readonly cached: number;
	readonly free: number;
};

export type PageCopy = {readonly from: number; readonly to: number};

/**
Who has which pages of a cache, and which tokens are in them.

Sequences that begin alike share the pages of what they have in common. A page that nobody holds any more keeps its
content until it is needed for another, the longest unused first.
*/
export class PageTable {
	readonly pageCount: number;
	/** Goes up whenever `open()` may succeed where it did not before. */
	changes = 0;
	/** Pages by the hash of all tokens up to their end. */
	readonly #byHash = new Map<string, Page>();
	/** Pages with content, by the hash of what comes before. */
	readonly #byParent = new Map<string, Set<Page>>();
	/** Held by nobody, with content: the longest unused first. */
	readonly #idle = new Set<Page>();
	/** Held by nobody, without. */
	readonly #empty: Page[];
	readonly #pages: readonly Page[];

	constructor(pageCount: number) {
		this.pageCount = pageCount;
		this.#pages = Array.from({length: pageCount}, (_, id) => new Page(id));
		this.#empty = this.#pages.toReversed();
	}

	/** Pages that can be had at once. */
	get available(): number {
		return this.#idle.size + this.#empty.length;
	}

	get statistics(): PageStatistics {
		return {
			total: this.pageCount,
			used: this.pageCount - this.available,
			shared: this.#pages.filter(({holders}) => holders > 1).length,
			cached: this.#idle.size,
			free: this.#empty.length,
		};
	}

	/**
	Pages for all of `ids`, reusing what there is; undefined if there are too few.

	The last token is always left to compute, for its logits.

	@param spare Pages that must be left afterwards.
	*/
	open(ids: readonly number[], spare = 0): {sequence: PagedSequence; copy?: PageCopy} | undefined {
		const hashes = hashesOf(ids);
		const known = hashes.map(hash => this.#byHash.get(hash));
		const held = known.filter(page => page && page.holders > 0).length;
		if (hashes.length + 1 - held + spare > this.available) return undefined;

		// Those that are there first, so that none of them is taken for something else.
		for (const page of known) if (page) this.#hold(page);
		const first = known.indexOf(undefined);
		const index = first < 0 ? known.length : first;
		const begun = this.#begin(ids, index, index === 0 ? root : hashes[index - 1]!);
		const pages = known.map((page, i) => {
			if (page) return page;
			const fresh = i === index ? begun.page : this.take();
			fresh.hash = hashes[i];
			this.#byHash.set(fresh.hash!, fresh);
			return fresh;
		});
		if (index === known.length) pages.push(begun.page);
		else pages.push(this.take());
		const sequence = new PagedSequence(this, pages, hashes);
		return begun.copy ? {sequence, copy: begun.copy} : {sequence};
	}

	/** Empty pages for so many tokens, whose content is nobody else's business; undefined if there are too few. */
	reserve(tokens: number): PagedSequence | undefined {
		const count = Math.ceil(tokens / pageTokens);
		if (count > this.available) return undefined;
		return new PagedSequence(
			this,
			Array.from({length: count}, () => this.take()),
			[],
		);
	}

	/** The page that goes on after `parent`, with as much as there is of `ids` from its start on. */
	#begin(ids: readonly number[], index: number, parent: string): {page: Page; copy?: PageCopy} {
		const start = index * pageTokens;
		let best: Page | undefined;
		let common = 0;
		for (const page of this.#byParent.get(parent) ?? []) {
			const count = page.common(ids, start, ids.length - 1);
			if (count > common) [best, common] = [page, count];
		}
		if (!best || common < leastCopied) return {page: this.take()};

		const isIdle = best.holders === 0;
		if (isIdle && common === best.filled && best.hash === undefined) {
			this.#hold(best);
			return {page: best};
		}
		if (isIdle && this.available === 1) return {page: this.take()};
		if (isIdle) this.#hold(best);
		const page = this.take();
		page.tokens.set(best.tokens.subarray(0, common));
		page.filled = common;
		this.#follow(page, parent);
		if (isIdle) this.letGo(best);
		return {page, copy: {from: best.id, to: page.id}};
	}

	/** An empty page with one holder. Only when one is available. */
	take(): Page {
		const page = this.#empty.pop() ?? this.#idle.values().next().value!;
		this.#forget(page);
		this.#hold(page);
		return page;
	}

	#hold(page: Page): void {
		this.#idle.delete(page);
		page.holders++;
	}

	letGo(page: Page): void {
		if (--page.holders > 0) return;
		this.changes++;
		// What is missing would have to be computed by a holder.
		if (!page.isFull) this.#unhash(page);
		if (page.filled > 0) this.#idle.add(page);
		else this.#empty.push(page);
	}

	/** Takes note of tokens whose keys and values are there now. */
	fill(page: Page, parent: string, tokens: readonly number[], start: number, filled: number): void {
		for (let i = page.filled; i < filled; i++) page.tokens[i] = tokens[start + i]!;
		page.filled = filled;
		this.#follow(page, parent);
	}

	/** A page that has become full; the one to hold in its place if another has the same content. */
	complete(page: Page, hash: string): Page {
		const known = this.#byHash.get(hash);
		if (known?.isFull && known !== page) {
			// Whoever else holds it goes on with it: it cannot be taken away from them.
			if (page.holders > 1) return page;
			this.#hold(known);
			this.#forget(page);
			this.letGo(page);
			return known;
		}
		this.changes++;
		if (known && known !== page) known.hash = undefined;
		page.hash = hash;
		this.#byHash.set(hash, page);
		return page;
	}

	#follow(page: Page, parent: string): void {
		if (page.parent === parent) return;
		page.parent = parent;
		let pages = this.#byParent.get(parent);
		if (!pages) {
			pages = new Set();
			this.#byParent.set(parent, pages);
		}
		pages.add(page);
	}

	#forget(page: Page): void {
		this.#unhash(page);
		if (page.parent !== undefined) {
			const pages = this.#byParent.get(page.parent)!;
			pages.delete(page);
			if (pages.size === 0) this.#byParent.delete(page.parent);
		}
		page.forget();
	}

	#unhash(page: Page): void {
		if (page.hash !== undefined && this.#byHash.get(page.hash) === page) this.#byHash.delete(page.hash);
		page.hash = undefined;
	}
}

/** Of the pages that the last token leaves full. */
function hashesOf(ids: readonly number[]): string[] {
	const hashes: string[] = [];
	const tokens = new Int32Array(pageTokens);
	for (let end = pageTokens; end < ids.length; end += pageTokens) {
		for (let i = 0; i < pageTokens; i++) tokens[i] = ids[end - pageTokens + i]!;
		hashes.push(chain(hashes.at(-1) ?? root, tokens));
	}
	return hashes;
}
