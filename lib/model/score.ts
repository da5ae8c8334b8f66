import type {Program} from '../program/index.js';
import {rowsPerStep} from './programs.js';
import type {ModelSequence} from './sequence.js';

export type ScoreResult = {
	/** Tokens that were predicted: all but the first. */
	readonly tokens: number;
	/** Mean negative log-likelihood, in nats per token. */
	readonly meanNll: number;
	/** `exp(meanNll)` */
	readonly perplexity: number;
	/** Of each predicted token. */
	readonly logProbs: Float64Array;
};

/** Scores all of `ids` but the first, in pieces. */
export async function score(
	program: Program,
	sequence: ModelSequence,
	ids: readonly number[],
	signal?: AbortSignal,
): Promise<ScoreResult> {
	const count = ids.length - 1;
	const logProbs = new Float64Array(count);
	for (let at = 0; at < count; at += rowsPerStep.score) {
		signal?.throwIfAborted();
		const piece = ids.slice(at, Math.min(at + rowsPerStep.score, count));
		const slots = sequence.slots(
			piece,
			at,
			piece.map((_, i) => i),
		);
		const targets = Int32Array.from(piece, (_, i) => ids[at + i + 1]!);
		const [scores] = await program.step({...slots, targets});
		logProbs.set(scores!, at);
	}
	const meanNll = -logProbs.reduce((sum, p) => sum + p, 0) / count;
	return {tokens: count, meanNll, perplexity: Math.exp(meanNll), logProbs};
}
