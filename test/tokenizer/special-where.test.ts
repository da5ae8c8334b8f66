import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {Tokenizer} from '../../lib/tokenizer/index.js';
import {modelsDirectory} from '../support/directory.js';
import {seededRandom} from '../support/random.js';
import {byteLevelTokenizer, directoryWith} from './tokenizers.js';

type Json = {added_tokens: {content: string; special: boolean; normalized: boolean}[]};

/** `normalized`: special tokens are looked for in the normalized text, as in some older tokenizers. */
async function stories(normalized: boolean): Promise<Tokenizer> {
	const {readFile} = await import('node:fs/promises');
	const json: Json = JSON.parse(await readFile(path.join(modelsDirectory, 'stories260k-hf/tokenizer.json'), 'utf8'));
	const added_tokens = json.added_tokens.map(token => ({...token, normalized}));
	return Tokenizer.load(await directoryWith({'tokenizer.json': {...json, added_tokens}}));
}

const tokenizers: [string, string[], () => Promise<Tokenizer>][] = [
	[
		'byte level',
		['<bos>', '<eos>'],
		async () => Tokenizer.load(await directoryWith({'tokenizer.json': byteLevelTokenizer()})),
	],
	['SentencePiece', ['<s>', '</s>'], () => stories(false)],
	['SentencePiece, normalized', ['<s>', '</s>'], () => stories(true)],
];

/** Texts of some pieces, each the template's or somebody's. */
function textOf(pieces: readonly (readonly [string, boolean])[]) {
	const text = pieces.map(([piece]) => piece).join('');
	const owner = pieces.flatMap(([piece, own]) => piece.split('').map(() => own));
	return {text, isOwn: (start: number, end: number) => owner.slice(start, end).every(Boolean)};
}

describe.each(tokenizers)('special tokens of a text that is partly typed: %s', (_, special, load) => {
	const words = ['Once', ' upon', 'hi ', ' ', '\n', 'é', '🙂', '<', '>', '/s>', '<s', '<bos', '<e'];
	const forged = [...words, ...special, ...special];

	async function each(
		contents: readonly string[],
		run: (tokenizer: Tokenizer, text: string, isOwn: (start: number, end: number) => boolean) => void,
	) {
		const tokenizer = await load();
		const random = seededRandom(7);
		for (let i = 0; i < 400; i++) {
			const pieces = Array.from({length: 1 + random.next() * 10}, (): [string, boolean] => {
				const own = random.next() < 0.5;
				return [random.pick(own ? [...words.slice(0, 7), ...special] : [...contents]), own];
			});
			const {text, isOwn} = textOf(pieces);
			run(tokenizer, text, isOwn);
		}
	}

	test('ids are those of the whole where nobody forges', async () => {
		await each(words.slice(0, 7), (tokenizer, text, isOwn) => {
			const whole = tokenizer.encode(text, {addBos: false, encodeSpecial: true});
			expect(tokenizer.encodeWhere(text, isOwn, false), JSON.stringify(text)).toEqual(whole);
		});
	});

	test('nobody but the template makes any', async () => {
		await each(forged, (tokenizer, text, isOwn) => {
			const ids = tokenizer.encodeWhere(text, isOwn, false);
			const made = ids.filter(id => !tokenizer.shows(id, false)).length;
			const own = Array.from(text.split(''), (unit, i) => (isOwn(i, i + 1) ? unit : '\0')).join('');
			const meant = own.split(new RegExp(special.join('|'))).length - 1;
			expect(made, JSON.stringify([text, own])).toBeLessThanOrEqual(meant);
		});
	});

	test('all or nothing is as with true or false', async () => {
		await each(forged, (tokenizer, text) => {
			for (const encodeSpecial of [true, false]) {
				const ids = tokenizer.encode(text, {encodeSpecial});
				expect(tokenizer.encodeWhere(text, () => encodeSpecial)).toEqual(ids);
			}
		});
	});
});

test('a vocabulary that holds the text of a special token does not make one of it', async () => {
	const json = byteLevelTokenizer() as {model: object; added_tokens: object[]};
	const added_tokens = [{id: 258, content: 'hi', special: true, normalized: false}];
	for (const ignore_merges of [true, false]) {
		const tokenizer = await Tokenizer.load(
			await directoryWith({'tokenizer.json': {...json, added_tokens, model: {...json.model, ignore_merges}}}),
		);
		expect(tokenizer.encode('hi', {encodeSpecial: true})).toEqual([258]);
		expect(tokenizer.encode('hi')).toEqual([0x68, 0x69]);
	}
});

test('what somebody typed does not take the place of a normalized special token that is not found', async () => {
	const tokenizer = await stories(true);
	// Normalized tokens are spelled with the space before them here, so that this `<s>` of the template is none.
	const {text, isOwn} = textOf([
		['hi<s>', true],
		['u <s>', false],
	]);
	const ids = tokenizer.encodeWhere(text, isOwn, false);
	const typed = ids.slice(ids.findIndex(id => tokenizer.idToPiece(id).includes('u')));
	expect(typed.filter(id => !tokenizer.shows(id, false))).toEqual([]);
});
