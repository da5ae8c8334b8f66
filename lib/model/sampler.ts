import {ExlError} from '../errors/index.js';
import type {SamplerSettings} from '../native/index.js';
import {allowedTexts, type ResolvedGenerateOptions} from '../sampling/index.js';
import {healingIds, type Tokenizer} from '../tokenizer/index.js';
import type {Vocabulary} from './vocabulary.js';

export type SamplerPlace = {
	readonly seed: number;
	readonly tokenizer: Tokenizer;
	/** Logits of the model. */
	readonly vocabulary: number;
	/** What ends the text. */
	readonly stopIds: Iterable<number>;
	/** What filters know the tokens by. */
	readonly texts: Vocabulary;
	/** Of a healed prompt: the token in whose place the first draw comes. */
	readonly healedId?: number | undefined;
};

/**
What native sampling is told of a job: options by token id.

@throws {ExlError} `EXL_INVALID_ARGUMENT` for ids outside of the vocabulary.
*/
export function samplerSettings(options: ResolvedGenerateOptions, place: SamplerPlace): SamplerSettings {
	const {dry, xtc, mirostat, dynamicTemperature: dynamic, logitBias = {}} = options;
	const {seed, tokenizer} = place;
	// A model may have more logits than there are tokens, and nothing can be said about those.
	const vocabulary = Math.min(place.vocabulary, tokenizer.vocabSize);

	const idsOf = (name: string, ids: readonly number[] = []): Int32Array => {
		const wrong = ids.find(id => id >= vocabulary);
		if (wrong === undefined) return Int32Array.from(ids);
		const message = `${name} must have token ids from 0 to ${vocabulary - 1}; got ${wrong}`;
		throw new ExlError('EXL_INVALID_ARGUMENT', message, {op: name});
	};

	const endIds = Int32Array.from([...place.stopIds].filter(id => id < vocabulary));
	const {healedId} = place;

	return {
		temperature: options.temperature,
		temperatureLast: options.temperatureLast ? 1 : 0,
		smoothingFactor: options.smoothingFactor,
		...(dynamic && {dynamicMin: dynamic.min, dynamicMax: dynamic.max, dynamicExponent: dynamic.exponent}),
		topK: options.topK,
		topP: options.topP,
		topA: options.topA,
		minP: options.minP,
		tfs: options.tfs,
		typicalP: options.typicalP,
		exllamav2: options.compat === 'exllamav2' ? 1 : 0,
		skew: options.skew,
		...(mirostat && {mirostatTau: mirostat.tau, mirostatEta: mirostat.eta}),
		...(xtc && {
			xtcProbability: xtc.probability,
			xtcThreshold: xtc.threshold,
			xtcIgnored: idsWith('\n', tokenizer),
		}),
		repetitionPenalty: options.repetitionPenalty,
		presencePenalty: options.presencePenalty,
		frequencyPenalty: options.frequencyPenalty,
		repetitionRange: options.repetitionRange,
		repetitionDecay: options.repetitionDecay,
		...(dry && {
			dryMultiplier: dry.multiplier,
			dryBase: dry.base,
			dryAllowedLength: dry.allowedLength,
			dryRange: dry.range,
			dryBreakers: breakersOf(dry.breakers, tokenizer, idsOf),
		}),
		biasIds: idsOf('logitBias', Object.keys(logitBias).map(Number)),
		biasValues: Float32Array.from(Object.values(logitBias)),
		allowedIds: idsOf('allowedTokens', options.allowedTokens),
		bannedIds: idsOf('bannedTokens', options.bannedTokens),
		...(options.guidance && {guidance: options.guidance.scale}),
		observeTop: options.topLogprobs ?? (options.returnLogits ? 0 : -1),
		observeLogits: options.returnLogits ? 1 : 0,
		defer: options.logitsHook ? 1 : 0,
		minTokens: options.minTokens,
		endIds,
		...(healedId !== undefined && {healedId, firstAllowedIds: healingIds(tokenizer, healedId)}),
		...filterSettings(options, place, endIds),
		vocabulary,
		seed,
	};
}

function filterSettings(
	{filters = []}: ResolvedGenerateOptions,
	{texts: vocabulary}: SamplerPlace,
	endIds: Int32Array,
): Pick<SamplerSettings, 'filters' | 'tokenTexts'> {
	if (filters.length === 0) return {};
	const {texts, open} = allowedTexts(filters);
	if (!open && endIds.length === 0) {
		const message = 'filters must not have a select: this model has no end token; name one in stop';
		throw new ExlError('EXL_INVALID_ARGUMENT', message, {op: 'filters'});
	}
	return {filters: [{texts, open: open ? 1 : 0}], tokenTexts: vocabulary.id};
}

const usualBreakers = '.,!?<>[](){}\n\t"';

function breakersOf(
	breakers: readonly (string | number)[] | undefined,
	tokenizer: Tokenizer,
	idsOf: (name: string, ids: readonly number[]) => Int32Array,
): Int32Array {
	if (breakers === undefined) return idsWith(usualBreakers, tokenizer);
	const ids = idsOf(
		'dry.breakers',
		breakers.filter(breaker => typeof breaker === 'number'),
	);
	const strings = breakers.filter(breaker => typeof breaker === 'string');
	const {pieces} = tokensOf(tokenizer);
	return Int32Array.from([...ids, ...idsOfPieces(pieces, piece => strings.some(text => piece.includes(text)))]);
}

type Tokens = {
	readonly pieces: readonly string[];
	readonly special: ReadonlySet<number>;
	readonly found: Map<string, Int32Array>;
};

// Decoding every token of a large vocabulary takes some tenths of a second.
const known = new WeakMap<Tokenizer, Tokens>();

function tokensOf(tokenizer: Tokenizer): Tokens {
	let tokens = known.get(tokenizer);
	if (!tokens) {
		const ids = Array.from({length: tokenizer.vocabSize}, (_, id) => id);
		const pieces = ids.map(id => tokenizer.decode([id], {special: true}));
		const special = ids.filter(id => tokenizer.shows(id, true) && !tokenizer.shows(id, false));
		tokens = {pieces, special: new Set(special), found: new Map()};
		known.set(tokenizer, tokens);
	}
	return tokens;
}

/** Ids of the special tokens, and of all whose text has one of `characters` in it. */
function idsWith(characters: string, tokenizer: Tokenizer): Int32Array {
	const {pieces, special, found} = tokensOf(tokenizer);
	let ids = found.get(characters);
	if (!ids) {
		const wanted = new Set(characters);
		const has = (piece: string, id: number) => special.has(id) || [...piece].some(c => wanted.has(c));
		ids = Int32Array.from(idsOfPieces(pieces, has));
		found.set(characters, ids);
	}
	return ids;
}

function idsOfPieces(pieces: readonly string[], test: (piece: string, id: number) => boolean): number[] {
	return pieces.flatMap((piece, id) => (test(piece, id) ? [id] : []));
}
