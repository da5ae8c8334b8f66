import {type AddedToken, AddedTokens, type Section} from './added-tokens.js';
import type {TokenizerJson} from './files.js';
import type {Library} from './library.js';

/** Whether what is spelled from one code unit up to another may be a special token. */
export type SpecialWhere = boolean | ((start: number, end: number) => boolean);

/** Text to ids: added tokens are cut out first, and what is between them goes through the parts of the library. */
export class Encoder {
	readonly #library: Library;
	/** Texts of special tokens: what a model may not make of text. */
	readonly #special: ReadonlySet<string>;
	readonly #inText: AddedTokens;
	readonly #inNormalized: AddedTokens;
	readonly #specialInText: AddedTokens;

	constructor(library: Library, json: TokenizerJson) {
		this.#library = library;
		const tokens = json.added_tokens.map((token): AddedToken => {
			const {special, normalized = !special, single_word = false, lstrip = false, rstrip = false} = token;
			return {...token, normalized: normalized && library.normalizer !== null, single_word, lstrip, rstrip};
		});
		this.#special = new Set(tokens.filter(({special}) => special).map(({content}) => content));
		this.#inText = new AddedTokens(tokens.filter(({normalized}) => !normalized));
		this.#specialInText = new AddedTokens(tokens.filter(({normalized, special}) => !normalized || special));
		this.#inNormalized = new AddedTokens(
			tokens.filter(({normalized}) => normalized),
			({content}) => this.#normalize(content),
		);
	}

	encode(text: string, special: SpecialWhere): number[] {
		const where = typeof special === 'function' ? special : () => special;
		const allows = (token: AddedToken, start: number, end: number) => !token.special || where(start, end);
		// Not push(): the ids of a long text are more than a call may have arguments.
		return this.#inText.split(text, allows).flatMap(section => {
			if (section.token) return [section.token.id];
			return this.#encodeBetween(text, section, typeof special === 'function' ? allows : special);
		});
	}

	/** @param special For a function given to `encode()`: whether a token may stand from one code unit of `text` to another. */
	#encodeBetween(
		text: string,
		{start, end}: Section,
		special: boolean | ((token: AddedToken, start: number, end: number) => boolean),
	): number[] {
		const part = text.slice(start, end);
		if (typeof special === 'boolean') return this.#encodeNormalized(part, start === 0, special);

		// Tokens that are looked for in what is normalized: none is forged where there are no more than may be, and none in
		// the text around those, which could take the place of one that is not found.
		const inner = this.#specialInText.split(part, (token, from, to) => special(token, start + from, start + to));
		const meant = inner.filter(({token}) => token?.special).length;
		const around = inner.filter(({token}) => !token).map(section => part.slice(section.start, section.end));
		if (this.#specialsOf(part) <= meant && around.every(text => this.#specialsOf(text) === 0)) {
			return this.#encodeNormalized(part, start === 0, true);
		}
		return inner.flatMap(section => {
			if (section.token) return [section.token.id];
			return this.#encodeNormalized(part.slice(section.start, section.end), start + section.start === 0, false);
		});
	}

	/** How many special tokens are found in a text when it is normalized. */
	#specialsOf(text: string): number {
		return this.#inNormalized.split(this.#normalize(text), () => true).filter(({token}) => token?.special).length;
	}

	#encodeNormalized(part: string, isFirst: boolean, special: boolean): number[] {
		const text = this.#normalize(part);
		return this.#inNormalized
			.split(text, token => special || !token.special)
			.flatMap(({start, end, token}) =>
				token ? [token.id] : this.#encodeText(text.slice(start, end), isFirst && start === 0),
			);
	}

	#normalize(text: string): string {
		return this.#library.normalizer ? this.#library.normalizer(text) : text;
	}

	#encodeText(text: string, isFirst: boolean): number[] {
		const {pre_tokenizer: preTokenizer, model} = this.#library;
		const words = preTokenizer ? preTokenizer(text, {section_index: isFirst ? 0 : 1}) : [text];
		const ids: number[] = [];
		for (const token of model(words)) {
			// A vocabulary may hold the texts of special tokens too; what is written out is still no such token.
			const pieces = this.#special.has(token) && token !== model.unk_token ? Array.from(token) : [token];
			for (const piece of pieces) {
				const id = model.tokens_to_ids.get(piece) ?? model.unk_token_id;
				if (id !== undefined) ids.push(id);
			}
		}
		return ids;
	}
}
