import {readFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {Tokenizer} from '../../lib/tokenizer/tokenizer.js';
import {modelsDirectory} from '../support/directory.js';
import {byteLevelTokenizer, directoryWith} from './tokenizers.js';

type Golden = {cases: {prompt: string; prompt_ids: number[]; greedy_ids: number[]; text: string}[]};

const names = ['stories260k-hf', 'tinystories-656k', 'tinystories-656k-exl2', 'tinystories-656k-gptq'];
const stories = () => Tokenizer.load(path.join(modelsDirectory, 'stories260k-hf'));
const byteLevel = async (config: object = {bos_token: '<bos>', eos_token: {content: '<eos>'}}) =>
	Tokenizer.load(await directoryWith({'tokenizer.json': byteLevelTokenizer(), 'tokenizer_config.json': config}));

describe.each(names)('%s', name => {
	test('encodes prompts and decodes replies as the golden results say', async () => {
		const tokenizer = await Tokenizer.load(path.join(modelsDirectory, name));
		const golden = JSON.parse(readFileSync(path.join(modelsDirectory, name, 'golden.json'), 'utf8')) as Golden;
		expect(golden.cases.length).toBeGreaterThan(0);
		for (const {prompt, prompt_ids, greedy_ids, text} of golden.cases) {
			expect(tokenizer.encode(prompt)).toEqual(prompt_ids);
			expect(tokenizer.decode(greedy_ids)).toBe(text);
		}
		expect(tokenizer.bosId).toBe(1);
		expect(tokenizer.eosIds).toEqual([2]);
	});
});

describe('BOS', () => {
	test('is forced, left out, and never doubled', async () => {
		const tokenizer = await stories();
		const plain = tokenizer.encode('Once', {addBos: false});
		expect(plain).not.toContain(1);
		expect(tokenizer.encode('Once')).toEqual([1, ...plain]);
		expect(tokenizer.encode('Once', {addBos: true})).toEqual([1, ...plain]);
		for (const addBos of [undefined, true, false]) {
			const ids = tokenizer.encode('<s>Once', {addBos, encodeSpecial: true});
			expect(ids.filter(id => id === 1)).toEqual([1]);
		}
		expect(tokenizer.encode('')).toEqual([1]);
	});

	test('follows add_bos_token where there is no post-processor', async () => {
		expect((await byteLevel()).encode('hi')).toEqual([258]);
		expect((await byteLevel({bos_token: '<bos>', add_bos_token: true})).encode('hi')).toEqual([260, 258]);
	});

	test('is refused by a tokenizer without one', async () => {
		const tokenizer = await byteLevel({bos_token: null});
		expect(tokenizer.bosId).toBeUndefined();
		expect(() => tokenizer.encode('hi', {addBos: true})).toThrow(
			expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message: expect.stringContaining('no BOS token')}),
		);
	});
});

test('end tokens come from all configuration files', async () => {
	const directory = await directoryWith({
		'tokenizer.json': byteLevelTokenizer(),
		'tokenizer_config.json': {eos_token: '<eos>'},
		'config.json': {eos_token_id: 7, bos_token_id: 260},
		'generation_config.json': {eos_token_id: [261, 3]},
	});
	const tokenizer = await Tokenizer.load(directory);
	expect(tokenizer.eosIds).toEqual([3, 7, 261]);
	expect(tokenizer.bosId).toBe(260);
	expect(tokenizer.vocabSize).toBe(264);
});

test('special tokens in a text are text unless asked for', async () => {
	const tokenizer = await byteLevel();
	expect(tokenizer.encode('hi<eos>', {encodeSpecial: true})).toEqual([258, 261]);
	const ids = tokenizer.encode('hi<eos>');
	expect(ids).not.toContain(261);
	expect(tokenizer.decode(ids)).toBe('hi<eos>');
	expect(tokenizer.encode('<sep>')).toEqual([263]);
	expect(tokenizer.decode([258, 261, 263])).toBe('hi<sep>');
	expect(tokenizer.decode([258, 261, 263], {special: true})).toBe('hi<eos><sep>');
});

test('pieces keep their leading space', async () => {
	const tokenizer = await stories();
	const id = tokenizer.encode('a little', {addBos: false}).at(-1)!;
	expect(tokenizer.decode([id]).startsWith(' ')).toBe(false);
	const pieces = tokenizer.encode('One day, a dog', {addBos: false}).map(piece => tokenizer.idToPiece(piece));
	expect(pieces.join('')).toBe(' One day, a dog');
	expect(tokenizer.idToPiece(1)).toBe('<s>');
	expect((await byteLevel()).idToPiece(257)).toBe('\uFFFD');
	expect((await byteLevel()).idToPiece(262)).toBe('');
});

test.each(['', ' ', '  two', 'é ß 你好 🦙👨‍👩‍👧', 'a\n\n\tb\r\n', '\uFEFFbom', 'x'.repeat(1000)])(
	'round trip of %j',
	async text => {
		for (const tokenizer of [await stories(), await byteLevel()]) {
			expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
		}
	},
);

describe('errors', () => {
	const failure = async (files: Record<string, unknown>) =>
		Tokenizer.load(await directoryWith(files)).then(
			() => undefined,
			error => error,
		);

	test('missing and damaged files', async () => {
		expect(await failure({})).toMatchObject({
			code: 'EXL_MODEL_NOT_FOUND',
			message: expect.stringContaining('tokenizer.json'),
		});
		expect(await failure({'tokenizer.json': '{'})).toMatchObject({code: 'EXL_FORMAT_INVALID'});
		expect(await failure({'tokenizer.json': {}})).toMatchObject({code: 'EXL_FORMAT_INVALID'});
		expect(await failure({'tokenizer.json': {model: {type: 'BPE', vocab: 3}}})).toMatchObject({
			code: 'EXL_FORMAT_INVALID',
			message: expect.stringMatching(/tokenizer\.json: model\.vocab is 3, expected an object or a list$/),
		});
		const config = {'tokenizer.json': byteLevelTokenizer(), 'tokenizer_config.json': 'null'};
		expect(await failure(config)).toMatchObject({code: 'EXL_FORMAT_INVALID'});
		const decoder = {'tokenizer.json': {...byteLevelTokenizer(), decoder: {type: 'Rot13'}}};
		expect(await failure(decoder)).toMatchObject({
			code: 'EXL_FORMAT_UNSUPPORTED',
			message: expect.stringContaining('Rot13'),
		});
	});

	test.each([-1, 512, 1.5, Number.NaN, '3'])('id %j', async id => {
		const tokenizer = await stories();
		const expected = {code: 'EXL_INVALID_ARGUMENT', message: expect.stringContaining('from 0 to 511')};
		expect(() => tokenizer.decode([3, id as number])).toThrow(expect.objectContaining(expected));
		expect(() => tokenizer.idToPiece(id as number)).toThrow(expect.objectContaining(expected));
	});
});

test('a text of more tokens than a call may have arguments', async () => {
	const tokenizer = await byteLevel();
	const text = 'xyz '.repeat(100_000);
	const ids = [
		tokenizer.encode(text, {addBos: false}),
		tokenizer.encode(text, {addBos: false, encodeSpecial: true}),
		tokenizer.encodeWhere(text, () => false, false),
	];
	expect(ids.map(({length}) => length)).toEqual([400_000, 400_000, 400_000]);
	expect(tokenizer.decode(ids[0]!)).toBe(text);
});
