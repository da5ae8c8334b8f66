import {record, type Value} from '../program/index.js';

/** The rows of `x` whose logits this step wants: `[rows, columns]` to `[outputs, columns]`. */
export function gatherRows(x: Value): Value {
	return record('gather_rows', {x, outputs: x.recorder.outputs});
}

/** One token id per output, drawn by the sampler in its slot. Ids from `vocabulary` on are padding. */
export function sample(logits: Value, vocabulary: number): Value {
	return record('sample', {logits, samplers: logits.recorder.samplers}, {vocabulary});
}

/** Natural logarithm of the probability of each output's target. */
export function tokenLogProb(logits: Value, vocabulary: number): Value {
	return record('token_log_prob', {logits, targets: logits.recorder.targets}, {vocabulary});
}
