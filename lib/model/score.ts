import {logitsNotFinite} from '../errors/index.js';

/** How well a model predicts a text. */
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

/** @throws {ExlError} `EXL_MODEL_INVALID` if the logits were not finite. */
export function scoreOf(logProbs: Float64Array): ScoreResult {
	const wrong = logProbs.findIndex(p => !Number.isFinite(p));
	if (wrong >= 0) throw logitsNotFinite('the model', ` after token ${wrong + 1} of ${logProbs.length + 1}`);
	const meanNll = -logProbs.reduce((sum, p) => sum + p, 0) / logProbs.length;
	return {tokens: logProbs.length, meanNll, perplexity: Math.exp(meanNll), logProbs};
}
