import type {Chunk} from '../generator/index.js';

/** Chunks as few flat lists, which cost a third of as many objects to write and to read. */
export type Batch = {
	readonly texts: readonly string[];
	/** How many tokens each has. */
	readonly counts: readonly number[];
	readonly tokenIds: readonly number[];
};

export function pack(chunks: readonly Chunk[]): Batch {
	return {
		texts: chunks.map(({text}) => text),
		counts: chunks.map(({tokenIds}) => tokenIds.length),
		tokenIds: chunks.flatMap(({tokenIds}) => tokenIds),
	};
}

export function* unpack({texts, counts, tokenIds}: Batch): Generator<Chunk, void, undefined> {
	let at = 0;
	for (const [i, text] of texts.entries()) {
		const end = at + counts[i]!;
		yield {text, tokenIds: tokenIds.slice(at, end)};
		at = end;
	}
}
