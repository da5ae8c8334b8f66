import type {Library} from './library.js';

/** What every token says after other text, as bytes: a token may hold part of a character, or the parts of several. */
export class TokenTexts {
	/** Of all tokens, one after another. */
	readonly bytes: Uint8Array;
	/** Token `id` has the bytes from `offsets[id]` to `offsets[id + 1]`. */
	readonly offsets: Int32Array;

	constructor(bytes: Uint8Array, offsets: Int32Array) {
		this.bytes = bytes;
		this.offsets = offsets;
	}

	/** Empty for special tokens, which are not text, and ids that no token has. */
	of(id: number): Uint8Array {
		return this.bytes.subarray(this.offsets[id] ?? 0, this.offsets[id + 1] ?? 0);
	}

	/** Ids whose text begins with that of `id`, itself included; none if it has no text. */
	beginningLike(id: number): Int32Array {
		const {bytes, offsets} = this;
		const start = this.of(id);
		const ids: number[] = [];
		if (start.length === 0) return Int32Array.from(ids);
		for (let other = 0; other + 1 < offsets.length; other++) {
			const at = offsets[other]!;
			if (at + start.length > offsets[other + 1]!) continue;
			let same = 0;
			while (same < start.length && bytes[at + same] === start[same]) same++;
			if (same === start.length) ids.push(other);
		}
		return Int32Array.from(ids);
	}
}

/**
Derives the bytes from how the decoder of a tokenizer works, since what it returns has U+FFFD for parts of characters.

@param shows Whether a token is text.
@param piece Its text, where the decoder is of an unknown kind; parts of characters are then left out.
*/
export function tokenTexts(
	library: Library,
	shows: (id: number) => boolean,
	piece: (id: number) => string,
): TokenTexts {
	const {replace, write} = readingOf(library) ?? {write: writeWhole};
	const {vocab} = library.model;
	const offsets = new Int32Array(vocab.length + 1);
	let bytes = new Uint8Array(8 * vocab.length);
	let end = 0;
	for (let id = 0; id < vocab.length; id++) {
		const token = vocab[id];
		if (token !== undefined && shows(id)) {
			const text = replace ? replace(token) : piece(id);
			const most = end + bytesPerUnit * text.length;
			if (most > bytes.length) bytes = grown(bytes, most);
			end += write(text, bytes, end);
		}
		offsets[id + 1] = end;
	}
	return new TokenTexts(bytes.slice(0, end), offsets);
}

/** Of UTF-8 in a code unit of a string, at most. */
const bytesPerUnit = 3;

function grown(bytes: Uint8Array, least: number): Uint8Array<ArrayBuffer> {
	const larger = new Uint8Array(Math.max(least, 2 * bytes.length));
	larger.set(bytes);
	return larger;
}

/** Writes a text at a place and returns how many bytes that were. */
type Writer = (text: string, to: Uint8Array, at: number) => number;

const encoder = new TextEncoder();
const writeText: Writer = (text, to, at) => encoder.encodeInto(text, to.subarray(at)).written;
const writeWhole: Writer = (text, to, at) => (text.includes('\uFFFD') ? 0 : writeText(text, to, at));

/** Nothing for decoders of other kinds than those of language models, which may look at the neighbours of a token. */
function readingOf({
	decoder,
	added_tokens,
}: Library): {readonly replace: (token: string) => string; readonly write: Writer} | undefined {
	if (!decoder) return undefined;
	const replacements: (readonly [string, string])[] = [];
	let write = writeText;
	for (const {config} of decoder.decoders ?? [decoder]) {
		const {type, pattern, content = '', replacement = '▁'} = config;
		if (type === 'ByteLevel') {
			const added = new Set(added_tokens.map(token => token.content));
			write = (text, to, at) => (added.has(text) ? writeText : writeByteLevel)(text, to, at);
		} else if (type === 'ByteFallback') {
			write = (text, to, at) => (byteToken.test(text) ? writeByte : writeText)(text, to, at);
		} else if (type === 'Metaspace') {
			replacements.push([replacement, ' ']);
		} else if (type === 'Replace' && pattern?.String !== undefined) {
			replacements.push([pattern.String, content]);
		} else if (type !== 'Fuse' && type !== 'Strip') {
			return undefined;
		}
	}
	return {replace: token => replacements.reduce((text, [from, to]) => text.replaceAll(from, to), token), write};
}

const byteToken = /^<0x[\dA-Fa-f]{2}>$/;

function writeByte(token: string, to: Uint8Array, at: number): number {
	to[at] = Number.parseInt(token.slice(3, 5), 16);
	return 1;
}

/**
Byte of each character in the vocabulary of a byte-level BPE. Printable characters of Latin-1 stand for themselves; the
other bytes, in order, are the characters from U+0100 on (GPT-2).
*/
const byteOfCharacter = new Int16Array(0x200).fill(-1);
for (let byte = 0, next = 0x100; byte < 0x100; byte++) {
	const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
	byteOfCharacter[printable ? byte : next++] = byte;
}

function writeByteLevel(token: string, to: Uint8Array, at: number): number {
	for (let i = 0; i < token.length; i++) {
		const byte = byteOfCharacter[token.charCodeAt(i)] ?? -1;
		// No text encodes to such a token.
		if (byte < 0) return 0;
		to[at + i] = byte;
	}
	return token.length;
}
