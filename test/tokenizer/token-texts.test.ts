import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {Tokenizer} from '../../lib/tokenizer/tokenizer.js';
import {modelsDirectory} from '../support/directory.js';
import {seededRandom} from '../support/random.js';
import {byteLevelTokenizer, directoryWith} from './tokenizers.js';

const sentencePiece = {
	model: {
		type: 'BPE',
		byte_fallback: true,
		unk_token: '<unk>',
		vocab: {'<unk>': 0, '<0xE4>': 1, '▁a': 2, b: 3, '▁': 4},
		merges: [],
	},
	decoder: {type: 'Metaspace', replacement: '▁', prepend_scheme: 'always'},
	added_tokens: [{id: 0, content: '<unk>', special: true}],
};

// The Llama 3 tokenizer may not be part of the repository; test/tokenizer/llama3.test.ts says how to name a copy.
const llama3 = process.env['EXL_TEST_LLAMA3_TOKENIZER'];
const directories: Record<string, () => string | Promise<string>> = {
	'byte fallback': () => path.join(modelsDirectory, 'stories260k-hf'),
	'no bytes': () => path.join(modelsDirectory, 'tinystories-656k'),
	'byte level': () => directoryWith({'tokenizer.json': byteLevelTokenizer(), 'tokenizer_config.json': {}}),
	Metaspace: () => directoryWith({'tokenizer.json': sentencePiece}),
	...(llama3 ? {'Llama 3': () => llama3} : {}),
};

const textOf = (bytes: Uint8Array) => new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes);

describe.each(Object.entries(directories))('%s', (_, directory) => {
	test('every token says what it says after another one', {timeout: 120_000}, async () => {
		const tokenizer = await Tokenizer.load(await directory());
		const before = tokenizer.encode('b', {addBos: false}).slice(-1);
		const start = tokenizer.decode(before);
		for (let id = 0; id < tokenizer.vocabSize; id++) {
			const text = textOf(tokenizer.texts.of(id));
			if (tokenizer.shows(id, false)) expect(start + text, `${id}`).toBe(tokenizer.decode([...before, id]));
			else expect(text, `${id}`).toBe('');
		}
		expect(tokenizer.texts).toBe(tokenizer.texts);
	});

	test('and together they say what is decoded, also where characters are split', async () => {
		const tokenizer = await Tokenizer.load(await directory());
		const random = seededRandom(4);
		const before = tokenizer.encode('b', {addBos: false}).slice(-1);
		const start = tokenizer.decode(before);
		const texts = ['naïve café – 你好，世界 🦙👨‍👩‍👧', ' two  spaces\n\ttab', '\uFEFF'];
		const written = texts.map(text => tokenizer.encode(text, {addBos: false}));
		const drawn = Array.from({length: 300}, () =>
			Array.from({length: 1 + random.int(12)}, () => random.int(Math.min(tokenizer.vocabSize, 400))),
		);
		for (const ids of [...written, ...drawn]) {
			const joined = Buffer.concat(ids.map(id => tokenizer.texts.of(id)));
			expect(start + textOf(joined)).toBe(tokenizer.decode([...before, ...ids]));
		}
	});
});

test('parts of characters are their bytes', async () => {
	const byteLevel = await Tokenizer.load(await directoryWith({'tokenizer.json': byteLevelTokenizer()}));
	expect([...byteLevel.texts.of(257)]).toEqual([0xf0, 0x9f, 0x99]);
	expect([...byteLevel.texts.of(259)]).toEqual([...Buffer.from(' hi')]);
	expect([...byteLevel.texts.of(0xff)]).toEqual([0xff]);
	expect([...byteLevel.texts.of(262)]).toEqual([]);
	expect([...byteLevel.texts.of(263)]).toEqual([...Buffer.from('<sep>')]);

	const stories = await Tokenizer.load(path.join(modelsDirectory, 'stories260k-hf'));
	const [id] = stories.encode('\u{1F642}', {addBos: false}).slice(-1);
	expect([...stories.texts.of(id!)]).toEqual([0x82]);
});

test('of an unknown kind of decoder the parts of characters are left out', async () => {
	const decoder = {
		type: 'Sequence',
		decoders: [{type: 'Replace', pattern: {Regex: '▁'}, content: ' '}, {type: 'ByteFallback'}, {type: 'Fuse'}],
	};
	const tokenizer = await Tokenizer.load(await directoryWith({'tokenizer.json': {...sentencePiece, decoder}}));
	const read = [0, 1, 2, 3, 4].map(id => textOf(tokenizer.texts.of(id)));
	expect(read).toEqual(['', '', ' a', 'b', ' ']);
});

test('a character that stands for no byte makes a token no text', async () => {
	const json = byteLevelTokenizer() as {model: {vocab: Record<string, number>}};
	json.model.vocab['a你'] = 264;
	const tokenizer = await Tokenizer.load(await directoryWith({'tokenizer.json': json}));
	expect([...tokenizer.texts.of(264)]).toEqual([]);
	expect([...tokenizer.texts.of(97)]).toEqual([97]);
});
