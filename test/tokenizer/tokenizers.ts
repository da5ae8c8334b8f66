import {writeFile} from 'node:fs/promises';
import path from 'node:path';
import {temporaryDirectory} from '../support/directory.js';

/** A directory with these files; what is not a string is written as JSON. */
export async function directoryWith(files: Record<string, unknown>): Promise<string> {
	const directory = await temporaryDirectory();
	for (const [name, content] of Object.entries(files)) {
		await writeFile(path.join(directory, name), typeof content === 'string' ? content : JSON.stringify(content));
	}
	return directory;
}

/** Character of each byte in the vocabulary of a byte-level BPE: printable ones stand for themselves (GPT-2). */
function byteCharacters(): string[] {
	let next = 256;
	return Array.from({length: 256}, (_, byte) => {
		const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
		return String.fromCodePoint(printable ? byte : next++);
	});
}

/**
A byte-level BPE of the kind of Llama 3, GPT-2 and Qwen: the 256 bytes, four merges, of which two make tokens that hold
part of a character (the first three bytes of many emoji), id 262 missing, `<bos>` 260, `<eos>` 261, `<sep>` 263.
*/
export function byteLevelTokenizer(): Record<string, unknown> {
	const bytes = byteCharacters();
	const join = (...list: number[]) => list.map(byte => bytes[byte]).join('');
	const merges = [
		[join(0xf0), join(0x9f)],
		[join(0xf0, 0x9f), join(0x99)],
		[join(0x68), join(0x69)],
		[join(0x20), join(0x68, 0x69)],
	];
	const vocab = Object.fromEntries([...bytes, ...merges.map(pair => pair.join(''))].map((piece, id) => [piece, id]));
	const special = {single_word: false, lstrip: false, rstrip: false, normalized: false, special: true};
	return {
		version: '1.0',
		added_tokens: [
			{id: 260, content: '<bos>', ...special},
			{id: 261, content: '<eos>', ...special},
			{id: 263, content: '<sep>', ...special, special: false},
		],
		normalizer: null,
		pre_tokenizer: {type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true},
		post_processor: null,
		decoder: {type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true},
		model: {type: 'BPE', dropout: null, unk_token: null, ignore_merges: false, vocab, merges},
	};
}
