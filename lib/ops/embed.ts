import type {Recorder, Value, Weight} from '../program/index.js';

/**
Looks up each token of the step.

@param table `[vocabulary, hidden]`
@returns `[rows, hidden]`
*/
export function embed(recorder: Recorder, table: Weight): Value {
	return recorder.record('embed', {tokens: recorder.tokens, table})[0]!;
}
