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

export function scoreOf(logProbs: Float64Array): ScoreResult {
	const meanNll = -logProbs.reduce((sum, p) => sum + p, 0) / logProbs.length;
	return {tokens: logProbs.length, meanNll, perplexity: Math.exp(meanNll), logProbs};
}
