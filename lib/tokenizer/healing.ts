import {DetokenizerStream} from './stream.js';
import type {Tokenizer} from './tokenizer.js';

/**
A prompt without its last token, whose text the first draw then has to begin with (token healing). A text that was cut
where it ends is often cut inside of what would have been one token, and the model has hardly seen it cut like that:
after `http:` it does not expect `//`, since it knows `://` as one token.
*/
export type HealedPrompt = {
	readonly promptIds: readonly number[];
	/** The token that was taken away. */
	readonly healedId: number;
	/** What the text of the draws begins with, and the prompt has said. */
	readonly said: string;
};

/** Nothing if another token could not do better: the last one is special, the only one, or begins no other. */
export function healPrompt(tokenizer: Tokenizer, promptIds: readonly number[]): HealedPrompt | undefined {
	const healedId = promptIds.at(-1);
	if (healedId === undefined || promptIds.length < 2) return undefined;
	if (healingIds(tokenizer, healedId).length < 2) return undefined;
	const context = promptIds.slice(0, -1);
	// Without what is held back: a character that the prompt begins is the draws' to end.
	const said = new DetokenizerStream(tokenizer, {context}).push(healedId);
	return {promptIds: context, healedId, said};
}

const known = new WeakMap<Tokenizer, Map<number, Int32Array>>();

/** Ids whose text begins with that of `id`, itself included; none if it has no text. */
export function healingIds(tokenizer: Tokenizer, id: number): Int32Array {
	const found = known.get(tokenizer) ?? new Map<number, Int32Array>();
	known.set(tokenizer, found);
	const ids = found.get(id) ?? tokenizer.texts.beginningLike(id);
	found.set(id, ids);
	return ids;
}
