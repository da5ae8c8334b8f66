import type {DetokenizerStream} from '../tokenizer/index.js';
import {BannedStrings, type Rewind} from './banned.js';
import type {Observation} from './engine.js';
import {StopMatcher} from './stop.js';
import type {Chunk, FinishReason, TokenDetails} from './types.js';

export type AnswerOptions = {
	readonly maxTokens: number;
	readonly stopIds: ReadonlySet<number>;
	readonly stopStrings: readonly string[];
	readonly bannedStrings: readonly string[];
	/** Text at the beginning that is not part of the answer. */
	readonly healed?: string | undefined;
	/** Whether chunks tell what the model said about each token. */
	readonly detailed: boolean;
	/** And the logits. */
	readonly logits: boolean;
};

/** What a token meant for the answer. */
export type Verdict = {
	/** What can be shown. */
	readonly chunk?: Chunk;
	readonly finish?: FinishReason;
	/** What to take back. */
	readonly rewind?: Rewind;
};

/** Makes text of the tokens of one answer, and says when it ends. */
export class Answer {
	readonly tokenIds: number[] = [];
	readonly details: TokenDetails[] = [];
	text = '';

	readonly #options: AnswerOptions;
	#detokenizer: DetokenizerStream;
	readonly #stops: StopMatcher;
	readonly #banned: BannedStrings | undefined;
	/** Characters of the beginning that are still to be cut off. */
	#cut: number;
	/** Tokens that were given out in a chunk. */
	#shown = 0;

	constructor(options: AnswerOptions, detokenizer: DetokenizerStream) {
		this.#options = options;
		this.#detokenizer = detokenizer;
		this.#stops = new StopMatcher(options.stopStrings);
		this.#banned = options.bannedStrings.length > 0 ? new BannedStrings(options.bannedStrings) : undefined;
		this.#cut = options.healed?.length ?? 0;
	}

	/** Tokens that will not be taken back. */
	get certain(): number {
		return this.tokenIds.length - (this.#banned?.held ?? 0);
	}

	push(id: number, seen?: Observation): Verdict {
		if (this.#options.stopIds.has(id)) return this.end('stop');
		this.tokenIds.push(id);
		if (this.#options.detailed && seen) this.details.push(this.#detailsOf(id, seen));

		const before = this.#banned && this.#detokenizer.clone();
		let piece = this.#detokenizer.push(id);
		if (this.#banned) {
			const output = this.#banned.push(id, piece, before!);
			if ('banned' in output) return this.#takeBack(output);
			piece = output.text;
		}
		const {text, stopped} = this.#stops.push(piece);
		if (stopped) return {...this.#show(text, true), finish: 'stop'};
		if (this.tokenIds.length >= this.#options.maxTokens) return this.end('length', text);
		return this.#show(text, false);
	}

	/** No more tokens come: what was held back is shown. @param text What comes before that. */
	end(finish: FinishReason, text = ''): Verdict {
		const gated = this.#banned?.flush().text ?? '';
		const {text: more, stopped} = this.#stops.push(gated + this.#detokenizer.flush());
		return {...this.#show(text + more + (stopped ? '' : this.#stops.flush()), true), finish};
	}

	#takeBack(rewind: Rewind): Verdict {
		this.tokenIds.length -= rewind.tokens;
		if (this.#options.detailed) this.details.length = this.tokenIds.length;
		this.#detokenizer = rewind.detokenizer;
		return {rewind};
	}

	/** A chunk of `text` and the tokens that go with it; nothing as long as there is no text, unless it is the last one. */
	#show(raw: string, isLast: boolean): {chunk?: Chunk} {
		const text = this.#cut > 0 ? raw.slice(this.#cut) : raw;
		this.#cut = Math.max(0, this.#cut - raw.length);
		const end = isLast ? this.tokenIds.length : this.certain;
		if (!text && !(isLast && end > this.#shown)) return {};
		this.text += text;
		const tokenIds = this.tokenIds.slice(this.#shown, end);
		const details = this.#options.detailed ? {details: this.details.slice(this.#shown, end)} : undefined;
		this.#shown = end;
		return {chunk: {text, tokenIds, ...details}};
	}

	#detailsOf(id: number, {logProb, topIds, topLogProbs, logits}: Observation): TokenDetails {
		const top = Array.from(topIds, (topId, i) => ({id: topId, logprob: topLogProbs[i]!}));
		return {id, logprob: logProb, top, ...(this.#options.logits && logits && {logits})};
	}
}
