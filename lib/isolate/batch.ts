import type {Chunk, TokenDetails} from '../generator/index.js';

/** Chunks as few flat lists, which cost a third of as many objects to write and to read. */
export type Batch = {
	readonly texts: readonly string[];
	/** How many tokens each has. */
	readonly counts: readonly number[];
	readonly tokenIds: readonly number[];
	/** Of each token, if the job tells them. */
	readonly details?: readonly TokenDetails[];
};

export function pack(chunks: readonly Chunk[]): Batch {
	const details = chunks.flatMap(chunk => chunk.details ?? []);
	return {
		texts: chunks.map(({text}) => text),
		counts: chunks.map(({tokenIds}) => tokenIds.length),
		tokenIds: chunks.flatMap(({tokenIds}) => tokenIds),
		...(details.length > 0 && {details}),
	};
}

export function* unpack({texts, counts, tokenIds, details}: Batch): Generator<Chunk, void, undefined> {
	let at = 0;
	for (const [i, text] of texts.entries()) {
		const end = at + counts[i]!;
		yield {text, tokenIds: tokenIds.slice(at, end), ...(details && {details: details.slice(at, end)})};
		at = end;
	}
}
