import {type Recorder, record, type Value, type Weight} from '../program/index.js';

/**
Cosine and sine of each position times each frequency, shared by all layers.

@param frequencies `[pairs]`, radians per token.
@param scale Multiplies both: the attention factor of YaRN. @default 1
@returns `[rows, pairs, 2]`
*/
export function ropeAngles(recorder: Recorder, frequencies: Weight, scale = 1): Value {
	return recorder.record('rope_angles', {positions: recorder.positions, frequencies}, {scale})[0]!;
}

/**
Rotates each head by its position (Su et al., arXiv:2104.09864). Only the first `2 * pairs` elements turn.

@param x `[rows, heads, dim]`
@param interleaved Pairs are neighbours (GPT-J) instead of halves (GPT-NeoX). @default false
@returns The shape of `x`.
*/
export function rope(x: Value, angles: Value, {interleaved = false} = {}): Value {
	return record('rope', {x, angles}, {interleaved: Number(interleaved)});
}
