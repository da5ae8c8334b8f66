import type {DetokenizerStream} from '../tokenizer/index.js';
import {StopMatcher} from './stop.js';
import type {Chunk, FinishReason, JobRequest, Sequence, Timings} from './types.js';

/** Tokens of a prompt that are run in one step. */
export const prefillTokens = 256;

export type JobOutcome = {
	readonly tokenIds: readonly number[];
	readonly finishReason: FinishReason;
	readonly timings: Timings;
};

/**
Runs one job on a sequence it owns: the prompt in pieces, then token after token. Yields what can be shown and returns
how it ended.

@throws The signal's reason if it aborts.
*/
export async function* runJob(
	{promptIds, maxTokens, stopIds, stopStrings, signal, left}: JobRequest,
	sequence: Sequence,
	detokenizer: DetokenizerStream,
): AsyncGenerator<Chunk, JobOutcome, undefined> {
	const started = performance.now();
	let next = await prefill(promptIds, sequence, signal);
	const prefilled = performance.now();

	const stops = new StopMatcher(stopStrings);
	const tokenIds: number[] = [];
	/** Tokens whose text was not yielded yet. */
	let held: number[] = [];
	let finishReason: FinishReason | undefined;
	let last = '';

	while (finishReason === undefined) {
		signal?.throwIfAborted();
		if (stopIds.has(next)) {
			finishReason = 'stop';
			last = rest(detokenizer, stops);
			break;
		}
		tokenIds.push(next);
		held.push(next);
		const {text, stopped} = stops.push(detokenizer.push(next));
		if (stopped) {
			finishReason = 'stop';
			last = text;
		} else if (tokenIds.length >= maxTokens) {
			finishReason = 'length';
			last = text + rest(detokenizer, stops);
		} else {
			if (text) {
				yield {text, tokenIds: held};
				held = [];
			}
			if (left?.aborted) {
				finishReason = 'abort';
				last = rest(detokenizer, stops);
				break;
			}
			next = await sequence.step([next], promptIds.length + tokenIds.length - 1);
		}
	}
	if (last || held.length > 0) yield {text: last, tokenIds: held};

	const ended = performance.now();
	const timings = {
		promptMs: prefilled - started,
		decodeMs: ended - prefilled,
		promptTokensPerSecond: perSecond(promptIds.length, prefilled - started),
		tokensPerSecond: perSecond(tokenIds.length - 1, ended - prefilled),
	} satisfies Timings;
	return {tokenIds, finishReason, timings};
}

async function prefill(ids: readonly number[], sequence: Sequence, signal?: AbortSignal): Promise<number> {
	const last = ids.length - 1 - ((ids.length - 1) % prefillTokens);
	for (let at = 0; at < last; at += prefillTokens) {
		signal?.throwIfAborted();
		await sequence.prefill(ids.slice(at, at + prefillTokens), at);
	}
	signal?.throwIfAborted();
	return sequence.step(ids.slice(last), last);
}

/** What both were holding back, now that no more tokens come. */
function rest(detokenizer: DetokenizerStream, stops: StopMatcher): string {
	const {text} = stops.push(detokenizer.flush());
	return text + stops.flush();
}

function perSecond(count: number, milliseconds: number): number {
	return count > 0 && milliseconds > 0 ? (count * 1000) / milliseconds : 0;
}
