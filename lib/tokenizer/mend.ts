import {endOfText, startOfText} from './added-tokens.js';

/** A part of a tokenizer as its JSON describes it. */
type Description = {
	readonly type?: string;
	readonly [key: string]: unknown;
};

/** A part as the library makes it. */
type Part = {
	pattern?: RegExp | null;
	normalizers?: (Part | null)[];
	tokenizers?: (Part | null)[];
	decoders?: Part[];
	normalize?: (text: string) => string;
	pre_tokenize?: (text: string | string[], options?: PreTokenizeOptions) => string[];
	pre_tokenize_text?: (text: string, options?: PreTokenizeOptions) => string[];
	decode_chain?: (tokens: string[]) => string[];
};

export type PreTokenizeOptions = {readonly section_index?: number};

const parts = (value: unknown) => (Array.isArray(value) ? (value as Description[]) : []);
const space = '\\p{White_Space}';
const punctuation = '\\p{P}!-/:-@[-`{-~';
const word = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';

/** Gives normalizers the meaning they have in the Rust library wherever the one used here has another. */
export function mendNormalizer(part: Part | null, description: Description | null): void {
	if (!part || !description) return;
	const {content} = description;
	switch (description.type) {
		case 'Sequence':
			for (const [i, inner] of parts(description['normalizers']).entries()) {
				mendNormalizer(part.normalizers?.[i] ?? null, inner);
			}
			break;
		case 'Replace':
			// A replacement text is no pattern: `$1` stands for itself.
			if (part.pattern) part.normalize = text => text.replaceAll(part.pattern!, () => String(content ?? ''));
			break;
		case 'Strip': {
			const {strip_left: left, strip_right: right} = description;
			part.normalize = text => {
				const end = right ? endOfText(text) : text.length;
				return text.slice(left ? Math.min(startOfText(text), end) : 0, end);
			};
			break;
		}
		case 'Lowercase':
			// Of each character alone: a sigma at the end of a word is like any other.
			part.normalize = text => Array.from(text, character => character.toLowerCase()).join('');
			break;
	}
}

/** The same for pre-tokenizers. */
export function mendPreTokenizer(part: Part | null, description: Description | null): void {
	if (!part || !description) return;
	const {behavior, invert} = description;
	const splitBy = (pattern: RegExp, usual: string) => {
		part.pre_tokenize_text = text => split(text, pattern, String(behavior ?? usual), invert === true);
	};
	switch (description.type) {
		case 'Sequence':
			for (const [i, inner] of parts(description['pretokenizers']).entries()) {
				mendPreTokenizer(part.tokenizers?.[i] ?? null, inner);
			}
			break;
		case 'Metaspace':
			mendMetaspace(part, description);
			break;
		case 'Digits':
			// All numbers of Unicode: ², ½, Ⅷ and ٣ as well.
			splitBy(description['individual_digits'] === true ? /\p{N}/gu : /\p{N}+/gu, 'Isolated');
			break;
		case 'Punctuation':
			splitBy(new RegExp(`[${punctuation}]`, 'gu'), 'Isolated');
			break;
		case 'Split':
			if (part.pattern) splitBy(part.pattern, 'Isolated');
			break;
		case 'Whitespace':
			part.pre_tokenize_text = text => text.match(new RegExp(`[${word}]+|[^${word}${space}]+`, 'gu')) ?? [];
			break;
		case 'WhitespaceSplit':
			part.pre_tokenize_text = text => text.match(/\P{White_Space}+/gu) ?? [];
			break;
		case 'BertPreTokenizer':
			part.pre_tokenize_text = text =>
				text.match(new RegExp(`[^${space}${punctuation}]+|[${punctuation}]`, 'gu')) ?? [];
			break;
		case 'ByteLevel':
			part.pattern =
				/'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
			break;
	}
}

function mendMetaspace(part: Part, {replacement, prepend_scheme, add_prefix_space, split: cuts}: Description): void {
	const mark = typeof replacement === 'string' ? replacement : '▁';
	const scheme = prepend_scheme ?? (add_prefix_space === false ? 'never' : 'always');
	const cut = (text: string, isFirst: boolean) => {
		const marked = text.replaceAll(' ', mark);
		const prepends = scheme === 'always' || (scheme === 'first' && isFirst);
		const whole = prepends && !marked.startsWith(mark) ? mark + marked : marked;
		return cuts === false ? [whole] : split(whole, new RegExp(escaped(mark), 'gu'), 'MergedWithNext', false);
	};
	// Only the first piece of the first section is the beginning of a text.
	part.pre_tokenize = (text, options) =>
		[text].flat().flatMap((piece, i) => cut(piece, i === 0 && options?.section_index === 0));
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Cuts a text where a pattern matches, or where it does not if `invert`; `behavior` says what becomes of those pieces. */
function split(text: string, pattern: RegExp, behavior: string, invert: boolean): string[] {
	const pieces: {text: string; matched: boolean}[] = [];
	let end = 0;
	for (const {0: match, index} of text.matchAll(pattern)) {
		if (index > end) pieces.push({text: text.slice(end, index), matched: invert});
		if (match !== '') pieces.push({text: match, matched: !invert});
		end = index + match.length;
	}
	if (end < text.length) pieces.push({text: text.slice(end), matched: invert});
	return arranged(pieces, behavior).map(piece => piece.text);
}

function arranged(pieces: {text: string; matched: boolean}[], behavior: string): {text: string; matched: boolean}[] {
	switch (behavior.toLowerCase()) {
		case 'removed':
			return pieces.filter(({matched}) => !matched);
		case 'mergedwithprevious':
			return merged(pieces, (before, piece) => piece.matched && !before.matched);
		case 'mergedwithnext':
			return merged(pieces, (before, piece) => before.matched && !piece.matched);
		case 'contiguous':
			return merged(pieces, (before, piece) => before.matched === piece.matched);
		default:
			return pieces;
	}
}

/** Joins each piece to the one before where `joins` says so. What was joined counts as its last part. */
function merged<Piece extends {text: string; matched: boolean}>(
	pieces: readonly Piece[],
	joins: (before: Piece, piece: Piece) => boolean,
): Piece[] {
	const result: Piece[] = [];
	for (const piece of pieces) {
		const before = result.at(-1);
		if (before && joins(before, piece)) result[result.length - 1] = {...piece, text: before.text + piece.text};
		else result.push(piece);
	}
	return result;
}

/** The same for decoders. */
export function mendDecoder(part: Part | null, description: Description | null): void {
	if (!part || !description) return;
	const {content, replacement, prepend_scheme} = description;
	if (description.type === 'Sequence') {
		for (const [i, inner] of parts(description['decoders']).entries()) mendDecoder(part.decoders?.[i] ?? null, inner);
	} else if (description.type === 'Replace' && part.pattern) {
		const {pattern} = part;
		part.decode_chain = tokens => tokens.map(token => token.replaceAll(pattern, () => String(content ?? '')));
	} else if (description.type === 'Metaspace' && prepend_scheme === 'never') {
		// A mark that was never put before a text is not removed from it.
		const mark = typeof replacement === 'string' ? replacement : '▁';
		part.decode_chain = tokens => tokens.map(token => token.replaceAll(mark, ' '));
	}
}
