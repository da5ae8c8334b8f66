import {createHash} from 'node:crypto';

/** Tokens in a page; native/core/cache.h has the same number. */
export const pageTokens = 256;

/** A page of the cache and what is known of its content. */
export class Page {
	/** As the page table of a step names it. */
	readonly id: number;
	/** Sequences that hold it. */
	holders = 0;
	/** Which tokens it has; valid up to `filled`. */
	readonly tokens = new Int32Array(pageTokens);
	/** Tokens whose keys and values are there. */
	filled = 0;
	/** Hash of all tokens before this page; undefined until they are known. */
	parent: string | undefined;
	/** Hash of all tokens up to its end: of a full page, or in advance of one that somebody is filling. */
	hash: string | undefined;
	/** Who computes what is missing, so that those who wait for the same tokens do not. */
	filler: object | undefined;

	constructor(id: number) {
		this.id = id;
	}

	get isFull(): boolean {
		return this.filled === pageTokens;
	}

	/** How many of its tokens `ids` has from `start` on, before `end`. */
	common(ids: readonly number[], start: number, end: number): number {
		const most = Math.min(this.filled, end - start);
		let count = 0;
		while (count < most && this.tokens[count] === ids[start + count]) count++;
		return count;
	}

	forget(): void {
		this.filled = 0;
		this.parent = undefined;
		this.hash = undefined;
	}
}

/** Parent of the first page of every sequence. */
export const root = '';

/** Stands for `parent` and one page more. SHA-256, so that nobody can make up tokens that read another user's page. */
export function chain(parent: string, tokens: Int32Array): string {
	const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
	return createHash('sha256').update(parent).update(bytes).digest('base64');
}
