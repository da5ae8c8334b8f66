import {readFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {DetokenizerStream} from '../../lib/tokenizer/stream.js';
import {Tokenizer} from '../../lib/tokenizer/tokenizer.js';
import {modelsDirectory} from '../support/directory.js';
import {seededRandom} from '../support/random.js';
import {byteLevelTokenizer, directoryWith} from './tokenizers.js';

type Options = {special?: boolean; context?: readonly number[]};

function streamed(tokenizer: Tokenizer, ids: readonly number[], options: Options = {}): string[] {
	const stream = new DetokenizerStream(tokenizer, options);
	return [...ids.map(id => stream.push(id)), stream.flush()];
}

const texts = [
	'Once upon a time, there was a dog.  Two spaces.\n\n\tTab.',
	'naïve café – “quotes” … 你好，世界。日本語 한국어',
	'🦙👨‍👩‍👧🇫🇷🙂🙃 hi hi',
	'\uFEFFa replaced \uFFFD\uFFFD\uFFFD character',
];

// The Llama 3 tokenizer may not be part of the repository; test/tokenizer/llama3.test.ts says how to name a copy.
const llama3 = process.env['EXL_TEST_LLAMA3_TOKENIZER'];
const directories: Record<string, () => string | Promise<string>> = {
	'byte fallback': () => path.join(modelsDirectory, 'stories260k-hf'),
	'no bytes': () => path.join(modelsDirectory, 'tinystories-656k'),
	'byte level': () => directoryWith({'tokenizer.json': byteLevelTokenizer(), 'tokenizer_config.json': {}}),
	...(llama3 ? {'Llama 3': () => llama3} : {}),
};

describe.each(Object.entries(directories))('%s', (_, directory) => {
	test('joined pieces are the text', async () => {
		const tokenizer = await Tokenizer.load(await directory());
		const stories = readFileSync(path.join(__dirname, '../data/tinystories.txt'), 'utf8').slice(0, 2000);
		for (const text of [...texts, stories]) {
			const ids = tokenizer.encode(text, {addBos: false});
			const pieces = streamed(tokenizer, ids);
			expect(pieces.join('')).toBe(tokenizer.decode(ids));
			for (const piece of pieces) expect(piece).not.toMatch(/\p{Surrogate}/u);
		}
	});

	test('random ids, many of them parts of characters', async () => {
		const tokenizer = await Tokenizer.load(await directory());
		const all = Array.from({length: tokenizer.vocabSize}, (_, id) => id);
		const partial = all.filter(id => tokenizer.idToPiece(id).includes('\uFFFD'));
		const random = seededRandom(1);
		for (let run = 0; run < 500; run++) {
			const share = partial.length > 0 ? random.next() : 0;
			const ids = Array.from({length: random.int(40)}, () => random.pick(random.next() < share ? partial : all));
			const special = random.next() < 0.5;
			const text = tokenizer.decode(ids, {special});
			expect(streamed(tokenizer, ids, {special}).join('')).toBe(text);

			const cut = random.int(ids.length + 1);
			const context = ids.slice(0, cut);
			const before = tokenizer.decode(context, {special});
			if (before.endsWith('\uFFFD')) continue;
			expect(before + streamed(tokenizer, ids.slice(cut), {special, context}).join('')).toBe(text);
		}
	});
});

test('a character split over tokens comes out once, whole', async () => {
	const tokenizer = await Tokenizer.load(path.join(modelsDirectory, 'stories260k-hf'));
	const ids = tokenizer.encode('a🙂b', {addBos: false});
	expect(streamed(tokenizer, ids).filter(piece => piece !== '')).toEqual(['a', '🙂', 'b']);
});

test('the space after the context is kept', async () => {
	const tokenizer = await Tokenizer.load(path.join(modelsDirectory, 'stories260k-hf'));
	const context = tokenizer.encode('Once upon');
	const ids = tokenizer.encode('a time', {addBos: false});
	expect(streamed(tokenizer, ids).join('')).toBe('a time');
	expect(streamed(tokenizer, ids, {context}).join('')).toBe(' a time');
});

test('invalid bytes are held back one at a time, and their cost does not grow', async () => {
	const tokenizer = await Tokenizer.load(await directoryWith({'tokenizer.json': byteLevelTokenizer()}));
	const stream = new DetokenizerStream(tokenizer);
	const pieces = Array.from({length: 20_000}, () => stream.push(0xff));
	expect(pieces.slice(0, 3)).toEqual(['', '\uFFFD', '\uFFFD']);
	expect(pieces.join('').length).toBe(19_999);
	expect(stream.flush()).toBe('\uFFFD');
	expect(stream.flush()).toBe('');
});
