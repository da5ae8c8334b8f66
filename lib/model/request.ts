import {randomInt} from 'node:crypto';
import {ExlError} from '../errors/index.js';
import {Answer, type Drafter, type Emit, type JobRequest, NgramDrafter} from '../generator/index.js';
import type {ResolvedGenerateOptions} from '../sampling/index.js';
import {DetokenizerStream, healPrompt, type Tokenizer} from '../tokenizer/index.js';
import type {ModelEngine} from './engine.js';
import {samplerSettings} from './sampler.js';
import type {Vocabulary} from './vocabulary.js';

export type RequestPlace = {
	readonly tokenizer: Tokenizer;
	readonly engine: ModelEngine;
	/** What filters know the tokens by. */
	readonly texts: Vocabulary;
	/** Logits of the model. */
	readonly vocabulary: number;
	/** What ends a text of this model. */
	readonly stopIds: ReadonlySet<number>;
	/** Tokens a sequence may have. */
	readonly mostTokens: number;
};

/**
What the generator is told of a job.

@param negativeIds With guidance, what the logits are pushed away from.
@throws {ExlError} `EXL_INVALID_ARGUMENT`.
*/
export function jobRequest(
	given: readonly number[],
	negativeIds: readonly number[] | undefined,
	options: ResolvedGenerateOptions,
	place: RequestPlace,
	emit: Emit | undefined,
): JobRequest {
	const {tokenizer, engine, vocabulary, texts} = place;
	const healed = options.tokenHealing ? healPrompt(tokenizer, given) : undefined;
	const promptIds = healed?.promptIds ?? given;
	const seed = options.seed ?? randomInt(2 ** 47);
	const known = Math.min(vocabulary, tokenizer.vocabSize);
	const unknown = options.stop.ids.find(id => id >= known);
	if (unknown !== undefined) {
		const message = `stop must have token ids from 0 to ${known - 1}; got ${unknown}`;
		throw new ExlError('EXL_INVALID_ARGUMENT', message, {op: 'stop'});
	}
	// Special tokens are not part of the text, where their names would never be found.
	const named = options.stop.strings.flatMap(text => tokenizer.specialIdsOf(text));
	const stopIds = new Set([...place.stopIds, ...options.stop.ids, ...named]);
	const prompts = negativeIds ? [promptIds, negativeIds] : [promptIds];
	if (prompts.length > engine.maxSequences) {
		const message = `guidance takes ${prompts.length} places in the batch; load the model with a maxBatch of at least that`;
		throw new ExlError('EXL_INVALID_ARGUMENT', message, {op: 'guidance'});
	}
	const longest = Math.max(...prompts.map(({length}) => length));
	// The last token is not computed, and needs no place in the cache.
	const maxTokens = Math.min(options.maxTokens ?? Number.POSITIVE_INFINITY, place.mostTokens - longest + 1);
	const answer = new Answer(
		{
			maxTokens,
			stopIds,
			stopStrings: options.stop.strings,
			bannedStrings: options.bannedStrings,
			healed: healed?.said,
			detailed: options.topLogprobs !== undefined || options.returnLogits,
			logits: options.returnLogits,
		},
		new DetokenizerStream(tokenizer, {context: promptIds}),
	);
	const settings = samplerSettings(options, {seed, stopIds, vocabulary, tokenizer, texts, healedId: healed?.healedId});
	return {
		prompts,
		sampler: engine.createSampler(settings, promptIds),
		answer,
		maxTokens,
		priority: options.priority,
		seed,
		hook: options.logitsHook,
		drafter: drafterOf(options, engine),
		observes: options.topLogprobs !== undefined || options.returnLogits || options.logitsHook !== undefined,
		// A hook and a guess want to see the token first, and a draft model cannot take one that only the other has drawn.
		pipelines: !options.logitsHook && !options.speculative && !engine.draft,
		emit,
	};
}

function drafterOf({speculative, guidance}: ResolvedGenerateOptions, {draft}: ModelEngine): Drafter | undefined {
	const kind = speculative ?? (draft && !guidance ? 'draft' : false);
	if (kind === false) return undefined;
	if (kind === 'ngram') return new NgramDrafter();
	if (draft) return draft.drafter();
	const message = "speculative must not be 'draft': no draft model was loaded; give loadModel() one, or use 'ngram'";
	throw new ExlError('EXL_INVALID_ARGUMENT', message, {op: 'speculative'});
}
