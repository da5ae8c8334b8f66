import * as v from 'valibot';
import {ExlError} from '../errors/index.js';
import {callback, optionsOf, parseArgument, parseOptions, trueOrFalse} from '../options/index.js';
import {readTokenizerFiles, type TokenizerConfig, type TokenizerFiles} from './files.js';
import {createLibraries, type Libraries} from './library.js';
import {type TokenTexts, tokenTexts} from './token-texts.js';

/** How text becomes ids. */
export type EncodeOptions = {
	/**
	Whether the ids begin with the BOS token. A text that begins with it already never gets a second one.
	@default what tokenizer_config.json or else the post-processor of tokenizer.json does
	*/
	readonly addBos?: boolean | undefined;

	/**
	Whether special tokens written out in the text (`<|eot_id|>`) become their ids: dangerous for what a user typed. For
	a text that is partly typed there is `encodeWhere()`. @default false
	*/
	readonly encodeSpecial?: boolean | undefined;
};

/** How ids become text. */
export type DecodeOptions = {
	/** Whether special tokens are written out rather than left out. @default false */
	readonly special?: boolean | undefined;
};

const encodeOptions = optionsOf({addBos: v.optional(trueOrFalse), encodeSpecial: v.optional(trueOrFalse, false)});
const decodeOptions = optionsOf({special: v.optional(trueOrFalse, false)});
const anyText = v.string('a string');
/** Checks the list alone: `shows()` checks each id. */
const idList = v.custom<readonly number[]>(Array.isArray, 'a list of token ids');

type Before = {readonly ids: readonly number[]; readonly length: number};

/** Text to token ids and back, as the model's own tokenizer.json defines it. */
export class Tokenizer {
	/** One more than the highest id. A model may have more logits than this: padding that no text encodes to. */
	readonly vocabSize: number;
	readonly bosId?: number;
	/** Every id that ends a text, in ascending order. */
	readonly eosIds: readonly number[];

	readonly #libraries: Libraries;
	/** By id; null where it depends on what is before. */
	readonly #localPieces: (string | null | undefined)[] = [];
	#knownBefores: readonly Before[] | undefined;
	readonly #specialIds: ReadonlySet<number>;
	/** What precedes every text by default. */
	readonly #prefix: readonly number[];
	#texts: TokenTexts | undefined;

	private constructor({json, config, eosIds, bosId}: TokenizerFiles) {
		this.#libraries = createLibraries(json, config ?? {});
		this.#specialIds = new Set(json.added_tokens.filter(token => token.special).map(token => token.id));
		this.vocabSize = this.#libraries.special.model.vocab.length;

		const bos = config?.bos_token === undefined ? bosId : this.#idOf(config.bos_token);
		if (bos !== undefined && bos < this.vocabSize) this.bosId = bos;
		const eos = [...eosIds, this.#idOf(config?.eos_token) ?? -1].filter(id => id >= 0 && id < this.vocabSize);
		this.eosIds = [...new Set(eos)].sort((a, b) => a - b);
		this.#prefix = this.#chosenPrefix(config?.add_bos_token ?? undefined, this.#templatePrefix());
	}

	/**
	Reads tokenizer.json and, where present, tokenizer_config.json, config.json and generation_config.json.

	@throws {ExlError} `EXL_MODEL_NOT_FOUND` without a tokenizer.json, `EXL_FORMAT_INVALID` for a damaged file,
	`EXL_FORMAT_UNSUPPORTED` for a kind of tokenizer that is not implemented.
	*/
	static async load(directory: string): Promise<Tokenizer> {
		const files = await readTokenizerFiles(directory);
		try {
			return new Tokenizer(files);
		} catch (cause) {
			const message = `${directory}: this tokenizer.json is not supported: ${(cause as Error).message}`;
			throw new ExlError('EXL_FORMAT_UNSUPPORTED', message, {cause});
		}
	}

	/** @throws {ExlError} `EXL_INVALID_ARGUMENT` if `addBos` is true and the tokenizer has no BOS token. */
	encode(text: string, options: EncodeOptions = {}): number[] {
		const {addBos, encodeSpecial} = parseOptions(encodeOptions, options, 'encode()');
		parseArgument(anyText, text, 'text', 'encode()');
		if (addBos && this.bosId === undefined) {
			throw new ExlError('EXL_INVALID_ARGUMENT', 'addBos must not be true: this tokenizer has no BOS token');
		}
		const library = encodeSpecial ? this.#libraries.special : this.#libraries.plain;
		const {ids} = library.encode(text, {add_special_tokens: false});
		const prefix = this.#chosenPrefix(addBos, this.#prefix);
		return prefix.length === 0 || (ids[0] !== undefined && ids[0] === prefix[0]) ? ids : [...prefix, ...ids];
	}

	/**
	`encode()` of a text of which only parts are trusted: what spells a special token becomes one only where `isSpecial`
	says so of the code units from `start` up to `end`.

	@throws as `encode`
	*/
	encodeWhere(text: string, isSpecial: (start: number, end: number) => boolean, addBos?: boolean): number[] {
		parseArgument(anyText, text, 'text', 'encodeWhere()');
		parseArgument(callback<typeof isSpecial>(), isSpecial, 'isSpecial', 'encodeWhere()');
		// What is wrong with addBos is wrong for an empty text.
		const begin = this.encode('', {addBos});
		const ids = this.#libraries.encodeWhere(text, isSpecial);
		return ids[0] !== undefined && ids[0] === begin[0] ? ids : [...begin, ...ids];
	}

	/** @throws {ExlError} `EXL_INVALID_ARGUMENT` for an id outside of the vocabulary. */
	decode(ids: readonly number[], options: DecodeOptions = {}): string {
		const {special} = parseOptions(decodeOptions, options, 'decode()');
		parseArgument(idList, ids, 'ids', 'decode()');
		const shown = ids.filter(id => this.shows(id, special));
		// No clean-up of spaces before punctuation, whatever the configuration says: it loses text.
		return shown.length === 0 ? '' : this.#libraries.special.decode(shown, {clean_up_tokenization_spaces: false});
	}

	/**
	The text of one token, special or not, as it reads after other text: with its leading space, and U+FFFD for part of
	a character. Empty for an id inside of the vocabulary that no token has.

	@throws {ExlError} `EXL_INVALID_ARGUMENT` for an id outside of the vocabulary.
	*/
	idToPiece(id: number): string {
		return this.#pieceAfter(this.#befores()[0]!, id);
	}

	/**
	The text of one token, if it is the same after any text that ends with a whole character; undefined if it is not, as of
	part of a character.

	@throws as `decode`
	*/
	localPiece(id: number): string | undefined {
		let piece = typeof id === 'number' ? this.#localPieces[id] : undefined;
		if (piece === undefined) {
			const [first, second] = this.#befores().map(before => this.#pieceAfter(before, id));
			piece = first === second && !first!.includes('\uFFFD') ? first! : null;
			this.#localPieces[id] = piece;
		}
		return piece ?? undefined;
	}

	#pieceAfter(before: Before, id: number): string {
		return this.decode([...before.ids, id], {special: true}).slice(before.length);
	}

	/** Texts that tokens are looked at after: the last token of each, and its length. */
	#befores(): readonly Before[] {
		this.#knownBefores ??= ['a', '.'].map(text => {
			const ids = this.#libraries.plain.encode(text, {add_special_tokens: false}).ids.slice(-1);
			return {ids, length: this.decode(ids, {special: true}).length};
		});
		return this.#knownBefores;
	}

	/** Ids of the special tokens that are spelled like this: drawn, and no part of any text. */
	specialIdsOf(text: string): number[] {
		parseArgument(anyText, text, 'text', 'specialIdsOf()');
		const tokens = this.#libraries.special.added_tokens;
		return tokens.filter(({special, content}) => special && content === text).map(({id}) => id);
	}

	/**
	What every token says. Made when it is first asked for, which takes about 50 ms for 128,000 tokens.

	@internal
	*/
	get texts(): TokenTexts {
		const {special} = this.#libraries;
		this.#texts ??= tokenTexts(
			special,
			id => this.shows(id, false),
			id => this.idToPiece(id),
		);
		return this.#texts;
	}

	/** Whether `decode` shows this id: `special` tells whether special tokens are shown. @throws as `decode` */
	shows(id: number, special: boolean): boolean {
		if (typeof special !== 'boolean') parseArgument(trueOrFalse, special, 'special', 'shows()');
		if (!Number.isInteger(id) || id < 0 || id >= this.vocabSize) {
			const message = `token ids must be whole numbers from 0 to ${this.vocabSize - 1}; got ${String(id)}`;
			throw new ExlError('EXL_INVALID_ARGUMENT', message);
		}
		return this.#libraries.special.model.vocab[id] !== undefined && (special || !this.#specialIds.has(id));
	}

	#idOf(token: TokenizerConfig['bos_token']): number | undefined {
		const content = typeof token === 'string' ? token : token?.content;
		const id = content === undefined ? -1 : this.#libraries.special.model.vocab.indexOf(content);
		return id < 0 ? undefined : id;
	}

	/** What the post-processor puts before a text. What it puts after is left out: a prompt is there to be continued. */
	#templatePrefix(): readonly number[] {
		const {special} = this.#libraries;
		const bare = special.encode('a', {add_special_tokens: false}).ids;
		const whole = special.encode('a', {add_special_tokens: true}).ids;
		return whole.slice(0, Math.max(0, whole.indexOf(bare[0] ?? -1)));
	}

	#chosenPrefix(addBos: boolean | undefined, usual: readonly number[]): readonly number[] {
		if (addBos === undefined) return usual;
		if (!addBos) return [];
		return this.bosId === undefined || usual.includes(this.bosId) ? usual : [this.bosId, ...usual];
	}
}
