import {type CacheLayer, record, type Value} from '../program/index.js';

/** How queries look at keys. */
export type AttentionOptions = {
	/** Multiplies the scores: usually the head size to the power of -1/2. */
	readonly scale: number;

	/** How many tokens a row sees, itself included; 0 is all. @default 0 */
	readonly window?: number;

	/** Scores become `softcap * tanh(score / softcap)`; 0 is off. @default 0 */
	readonly softcap?: number;
};

/** Stores the keys and values of this step's rows, both `[rows, keyHeads, dim]`, at their positions. */
export function cacheWrite(k: Value, v: Value, cache: CacheLayer): void {
	const {positions, sequences, pages} = k.recorder;
	k.recorder.record('cache_write', {k, v, cache, positions, sequences, pages});
}

/**
Causal attention of each row over its sequence in the cache, where its own key must already be.

@param q `[rows, heads, dim]`; `heads` is a multiple of the cache's key heads.
@returns The shape of `q`.
*/
export function attention(q: Value, cache: CacheLayer, {scale, window = 0, softcap = 0}: AttentionOptions): Value {
	const {positions, sequences, pages} = q.recorder;
	return record('attention', {q, cache, positions, sequences, pages}, {scale, window, softcap});
}
