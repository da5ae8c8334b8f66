import {Encoder, type SpecialWhere} from './encoder.js';
import type {TokenizerConfig, TokenizerJson} from './files.js';
import {mendDecoder, mendNormalizer, mendPreTokenizer, type PreTokenizeOptions} from './mend.js';

type PreTokenizer = (text: string, options?: PreTokenizeOptions) => string[];

type Model = {
	(words: readonly string[]): string[];
	/** Has holes at ids no token has. */
	readonly vocab: readonly (string | undefined)[];
	readonly tokens_to_ids: ReadonlyMap<string, number>;
	readonly unk_token: string | undefined;
	readonly unk_token_id: number | undefined;
};

type Decoder = {
	readonly config: {
		readonly type: string;
		readonly content?: string;
		readonly pattern?: {readonly String?: string};
		readonly replacement?: string;
	};
	decode(tokens: readonly string[]): string;
	text_decoder?: object;
	readonly decoders?: readonly Decoder[];
};

/** What is used of `@huggingface/tokenizers`. Its own type declarations resolve under bundlers only. */
export type Library = {
	encode(text: string, options: {add_special_tokens: boolean}): {readonly ids: number[]};
	decode(ids: readonly number[], options: {clean_up_tokenization_spaces: boolean}): string;
	readonly normalizer: ((text: string) => string) | null;
	readonly model: Model;
	pre_tokenizer: PreTokenizer | null;
	readonly added_tokens: readonly {readonly id: number; readonly content: string; readonly special: boolean}[];
	readonly decoder: Decoder | null;
};

// Not an import: the package has one declaration file, of its ES module, which TypeScript does not let CommonJS import.
// When the first tokenizer is read, so that importing this package stays quick.
const loadLibrary = () =>
	require('@huggingface/tokenizers') as {Tokenizer: new (json: object, config: object) => Library};

export type Libraries = {
	/** Takes special tokens written out in a text for what they stand for. */
	readonly special: Library;
	/** Takes them for ordinary text. */
	readonly plain: Pick<Library, 'encode'>;
	/** Takes them for what they stand for where a function says so. */
	readonly encodeWhere: (text: string, special: SpecialWhere) => number[];
};

export function createLibraries(json: TokenizerJson, config: TokenizerConfig): Libraries {
	const library = createLibrary(json, config);
	const encoder = new Encoder(library, json);
	const encodeWhole = library.encode.bind(library);
	const plain: Pick<Library, 'encode'> = {encode: text => ({ids: encoder.encode(text, false)})};
	// Only the library knows what its post-processor puts around a text.
	library.encode = (text, options) =>
		options.add_special_tokens ? encodeWhole(text, options) : {ids: encoder.encode(text, true)};
	return {special: library, plain, encodeWhere: (text, special) => encoder.encode(text, special)};
}

/** The library's tokenizer, with the parts mended that work in another way than those of the Rust library it follows. */
export function createLibrary(json: TokenizerJson, config: TokenizerConfig): Library {
	const {Tokenizer} = loadLibrary();
	const library = new Tokenizer(json, config);
	mendNormalizer(library.normalizer as object | null, json.normalizer);
	mendPreTokenizer(library.pre_tokenizer as object | null, json.pre_tokenizer);
	mendDecoder(library.decoder as object | null, json.decoder);
	if (canCutWords(json)) cutWords(library);
	for (const decoder of [library.decoder, ...(library.decoder?.decoders ?? [])]) keepByteOrderMarks(decoder);
	return library;
}

/**
Whether no merge joins some character to a '▁' (the space of SentencePiece) after it, so that words can be merged one by one.

Tokenizers that came from SentencePiece have no pre-tokenizer. The library then merges a whole document as one word and
its cache of words is never hit: 11 s instead of 0.6 s for 1 MB with the Mistral tokenizer.
*/
function canCutWords({model, pre_tokenizer}: TokenizerJson): boolean {
	if (pre_tokenizer !== null && pre_tokenizer.type !== 'Metaspace') return false;
	if (model.merges === undefined || model.ignore_merges || model.end_of_word_suffix) return false;
	return model.merges.every(merge => {
		const [left = '', right = ''] = typeof merge === 'string' ? merge.split(' ', 2) : merge;
		return left.endsWith('▁') || !right.startsWith('▁');
	});
}

function cutWords(library: Library): void {
	const inner = library.pre_tokenizer;
	library.pre_tokenizer = (text, options) =>
		(inner ? inner(text, options) : [text]).flatMap(part => part.split(/(?<=[^▁])(?=▁)/));
}

/** The library's decoder of byte tokens drops U+FEFF at the start of a run; the original keeps it. */
function keepByteOrderMarks(decoder: Decoder | null): void {
	if (decoder?.text_decoder) decoder.text_decoder = new TextDecoder('utf-8', {ignoreBOM: true});
}
