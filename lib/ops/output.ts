import {record, type Value} from '../program/index.js';

/** The rows of `x` whose logits this step wants: `[rows, columns]` to `[outputs, columns]`. */
export function gatherRows(x: Value): Value {
	return record('gather_rows', {x, outputs: x.recorder.outputs});
}

/**
One token id per output, drawn by the sampler in its slot. Ids from `vocabulary` on are padding. Consecutive outputs of
one sampler check a draft: those after the first token that differs from the next row's are not drawn.
*/
export function sample(logits: Value, vocabulary: number): Value {
	const {samplers, tokens, outputs} = logits.recorder;
	return record('sample', {logits, samplers, tokens, outputs}, {vocabulary});
}

/** Natural logarithm of the probability of each output's target. */
export function tokenLogProb(logits: Value, vocabulary: number): Value {
	return record('token_log_prob', {logits, targets: logits.recorder.targets}, {vocabulary});
}
