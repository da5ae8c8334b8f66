import type {TokenizerConfig, TokenizerJson} from './files.js';

type PreTokenizer = (text: string, options?: unknown) => string[];

type Decoder = {
	readonly config: {
		readonly type: string;
		readonly content?: string;
		readonly pattern?: {readonly String?: string};
		readonly replacement?: string;
	};
	text_decoder?: object;
	readonly decoders?: readonly Decoder[];
};

/** What is used of `@huggingface/tokenizers`. Its own type declarations resolve under bundlers only. */
export type Library = {
	encode(text: string, options: {add_special_tokens: boolean}): {readonly ids: number[]};
	decode(ids: readonly number[], options: {clean_up_tokenization_spaces: boolean}): string;
	/** `vocab` has holes at ids no token has. */
	model: {readonly vocab: readonly (string | undefined)[]};
	pre_tokenizer: PreTokenizer | null;
	readonly added_tokens: readonly {readonly content: string}[];
	readonly decoder: Decoder | null;
};

// Not an import: the package has one declaration file, of its ES module, which TypeScript does not let CommonJS import.
const {Tokenizer} = require('@huggingface/tokenizers') as {
	Tokenizer: new (json: object, config: object) => Library;
};

export type Libraries = {
	/** Takes special tokens written out in a text for what they stand for. */
	readonly special: Library;
	/** Takes them for ordinary text. */
	readonly plain: Library;
};

export function createLibraries(json: TokenizerJson, config: TokenizerConfig): Libraries {
	const special = new Tokenizer(json, config);
	const ordinary = json.added_tokens.filter(token => !token.special);
	const plain = new Tokenizer({...json, model: {type: 'BPE', vocab: {}, merges: []}, added_tokens: ordinary}, config);
	plain.model = special.model;

	if (canCutWords(json)) for (const library of [special, plain]) cutWords(library);
	for (const decoder of [special.decoder, ...(special.decoder?.decoders ?? [])]) keepByteOrderMarks(decoder);
	return {special, plain};
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
