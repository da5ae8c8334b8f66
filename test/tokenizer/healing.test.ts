import {readFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {healingIds, healPrompt} from '../../lib/tokenizer/healing.js';
import {DetokenizerStream} from '../../lib/tokenizer/stream.js';
import {Tokenizer} from '../../lib/tokenizer/tokenizer.js';
import {modelsDirectory} from '../support/directory.js';
import {seededRandom} from '../support/random.js';
import {byteLevelTokenizer, directoryWith} from './tokenizers.js';

const stories = () => Tokenizer.load(path.join(modelsDirectory, 'stories260k-hf'));
const byteLevel = async () =>
	Tokenizer.load(
		await directoryWith({'tokenizer.json': byteLevelTokenizer(), 'tokenizer_config.json': {bos_token: '<bos>'}}),
	);
const tokenizers = {stories, 'tinystories-656k': () => Tokenizer.load(path.join(modelsDirectory, 'tinystories-656k'))};

test('ids that begin like another are found byte by byte', async () => {
	const tokenizer = await byteLevel();
	const ids = (id: number) => [...healingIds(tokenizer, id)];
	expect(ids(0x68)).toEqual([0x68, 258]);
	expect(ids(0x20)).toEqual([0x20, 259]);
	expect(ids(0xf0)).toEqual([0xf0, 256, 257]);
	expect(ids(256)).toEqual([256, 257]);
	expect(ids(0x3c)).toEqual([0x3c, 263]);
	expect([ids(260), ids(262)]).toEqual([[], []]);
	expect(healingIds(tokenizer, 0x20)).toBe(healingIds(tokenizer, 0x20));
});

describe.each(Object.entries(tokenizers))('%s', (_, load) => {
	test('every id is among those it begins, and no other begins so', async () => {
		const tokenizer = await load();
		const texts = Array.from({length: tokenizer.vocabSize}, (_, id) =>
			Buffer.from(tokenizer.texts.of(id)).toString('latin1'),
		);
		for (const [id, text] of texts.entries()) {
			const wanted = texts.flatMap((other, i) => (text !== '' && other.startsWith(text) ? [i] : []));
			expect([...healingIds(tokenizer, id)]).toEqual(wanted);
		}
	});

	test('a text cut anywhere is healed without a change of what it says', async () => {
		const tokenizer = await load();
		const whole = readFileSync(path.join(__dirname, '../data/tinystories.txt'), 'utf8').slice(0, 3000);
		const random = seededRandom(8);
		let healings = 0;
		for (let run = 0; run < 300; run++) {
			const text = whole.slice(0, 1 + random.int(run < 150 ? 30 : 2000)).trimStart();
			if (text === '') continue;
			const ids = tokenizer.encode(text);
			const healed = healPrompt(tokenizer, ids);
			if (!healed) continue;
			healings++;
			const {promptIds, healedId, said} = healed;
			expect([...promptIds, healedId]).toEqual(ids);
			expect(said).not.toBe('');
			expect(tokenizer.decode(promptIds) + said).toBe(tokenizer.decode(ids));
			const first = random.pick([...healingIds(tokenizer, healedId)]);
			const stream = new DetokenizerStream(tokenizer, {context: promptIds});
			const next = tokenizer.encode('more', {addBos: false});
			const shown = [first, ...next].map(id => stream.push(id)).join('') + stream.flush();
			expect(shown.startsWith(said)).toBe(true);
			expect(tokenizer.decode(ids) + shown.slice(said.length)).toBe(tokenizer.decode([...promptIds, first, ...next]));
		}
		expect(healings).toBeGreaterThan(50);
	});
});

test('the first word of a text loses the same space in both places', async () => {
	const tokenizer = await stories();
	const {promptIds, healedId, said} = healPrompt(tokenizer, tokenizer.encode('O'))!;
	expect({promptIds, said}).toEqual({promptIds: [1], said: 'O'});
	expect(Buffer.from(tokenizer.texts.of(healedId)).toString()).toBe(' O');
	const [once] = tokenizer.encode('Once', {addBos: false});
	expect(healingIds(tokenizer, healedId)).toContain(once);
	expect(new DetokenizerStream(tokenizer, {context: promptIds}).push(once!)).toBe('Once');
});

test('a character that the prompt leaves open is shown whole', async () => {
	const tokenizer = await byteLevel();
	const {promptIds, said} = healPrompt(tokenizer, [0x68, 256])!;
	expect({promptIds, said}).toEqual({promptIds: [0x68], said: ''});
	const stream = new DetokenizerStream(tokenizer, {context: promptIds});
	expect([257, 0x82].map(id => stream.push(id)).join('')).toBe('\u{1F642}');

	// Its last byte may be healed as well, and has been said.
	const json = byteLevelTokenizer() as {model: {vocab: Record<string, number>}};
	const [last, space] = ['\u0124', '\u0120'];
	expect([json.model.vocab[last], json.model.vocab[space]]).toEqual([0x82, 0x20]);
	json.model.vocab[last + space] = 264;
	const more = await Tokenizer.load(await directoryWith({'tokenizer.json': json}));
	expect(healPrompt(more, [0x68, 257, 0x82])).toEqual({promptIds: [0x68, 257], healedId: 0x82, said: '\u{1F642}'});
});

test('there is nothing to heal without another token, a text, or what comes before', async () => {
	const tokenizer = await byteLevel();
	expect(healPrompt(tokenizer, [])).toBeUndefined();
	expect(healPrompt(tokenizer, [0x68])).toBeUndefined();
	expect(healPrompt(tokenizer, [0x68, 261])).toBeUndefined();
	expect(healPrompt(tokenizer, [0x68, 262])).toBeUndefined();
	expect(healPrompt(tokenizer, [0x68, 259])).toBeUndefined();
	expect(healPrompt(tokenizer, [0x68, 5000])).toBeUndefined();
});
