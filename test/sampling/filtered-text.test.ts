import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {loadModel, type Model} from '../../lib/model/index.js';
import {samplerSettings} from '../../lib/model/sampler.js';
import {Vocabulary} from '../../lib/model/vocabulary.js';
import {addon} from '../../lib/native/index.js';
import {type GenerateOptions, parseGenerateOptions} from '../../lib/sampling/index.js';
import {DetokenizerStream, healPrompt} from '../../lib/tokenizer/index.js';
import {modelsDirectory} from '../support/directory.js';
import {keepDevicesOpen} from '../support/memory.js';

keepDevicesOpen();

// One has byte tokens, the other has not.
describe.each(['stories260k-hf', 'tinystories-656k-exl2'])('%s', name => {
	let model: Model;
	let texts: Vocabulary;
	beforeAll(async () => {
		model = await loadModel(join(modelsDirectory, name), {device: 'cpu', threads: 1});
		texts = new Vocabulary(model.tokenizer);
	});
	afterAll(async () => {
		texts.release();
		await model.dispose();
	});

	/** What the model writes, token by token, until an end token or `maxTokens`. */
	async function write(prompt: string, options: GenerateOptions, heal = false) {
		const {tokenizer} = model;
		const resolved = parseGenerateOptions({seed: 1, maxTokens: 40, ...options});
		const encoded = tokenizer.encode(prompt);
		const {promptIds, healedId, said} = (heal && healPrompt(tokenizer, encoded)) || {
			promptIds: encoded,
			healedId: undefined,
			said: '',
		};
		const stopIds = [...tokenizer.eosIds, ...resolved.stop.ids];
		const place = {seed: resolved.seed!, tokenizer, vocabulary: tokenizer.vocabSize, stopIds, texts, healedId};
		const sampler = addon().createSampler(samplerSettings(resolved, place));
		try {
			addon().feedSampler(sampler, Int32Array.from(promptIds));
			const drawn: number[] = [];
			const stream = new DetokenizerStream(tokenizer, {context: promptIds});
			let text = '';
			while (drawn.length < resolved.maxTokens!) {
				const logits = Float32Array.from(await model.logits([...promptIds, ...drawn]));
				const [id] = addon().samplerDraw(sampler, logits, 1);
				if (id! < 0 || stopIds.includes(id!)) return {text: text.slice(said.length), drawn, end: id!, said};
				drawn.push(id!);
				text += stream.push(id!);
			}
			return {text: (text + stream.flush()).slice(said.length), drawn, end: undefined, said};
		} finally {
			addon().release(sampler);
		}
	}

	it('a choice is written whole and then ends', async () => {
		const choices = [' little dog', ' little dog named Tim', ' big red ball', ' cat', ' c', 'man'];
		const written = new Set<string>();
		for (let seed = 0; seed < 12; seed++) {
			const options = {seed, temperature: 3, topK: 0, topP: 1, filters: [{select: choices}]};
			const {text, end} = await write('Once upon a time, there was a', options);
			expect(choices).toContain(text);
			expect(model.tokenizer.eosIds).toContain(end);
			written.add(text);
		}
		expect(written.size).toBeGreaterThan(2);
		// Left alone it would have written something else.
		const alone = await write('Once upon a time, there was a', {temperature: 0});
		expect(choices).not.toContain(alone.text);
	});

	it('a prefix is written first, and then what the model wants', async () => {
		const prefix = ' purple hippo said that';
		const {text, drawn, end} = await write('The', {temperature: 0, filters: [{prefix}]});
		expect(text.startsWith(prefix)).toBe(true);
		expect(text.length).toBeGreaterThan(prefix.length + 10);
		expect(drawn.length === 40 || end !== undefined).toBe(true);
		const after = await write('The purple hippo said that', {temperature: 0, maxTokens: 10});
		const both = await write('The', {temperature: 0, filters: [{prefix: prefix + after.text}], maxTokens: 40});
		expect(both.text.startsWith(prefix + after.text)).toBe(true);
	});

	it('a healed prompt goes on where its text ends', async () => {
		const select = ['ce upon a hill', 'ion'];
		const {text, said, end} = await write('O', {filters: [{select}]}, true);
		expect(said).toBe('O');
		expect(select).toContain(text);
		expect(model.tokenizer.eosIds).toContain(end);
		const free = await write('Once u', {temperature: 0, maxTokens: 3}, true);
		expect(free.said).not.toBe('');
		expect(free.text.startsWith('pon')).toBe(true);
		// The draw that heals is none of the tokens asked for.
		const logitBias = Object.fromEntries(model.tokenizer.eosIds.map(id => [id, 1000]));
		expect((await write('Once u', {minTokens: 7, logitBias}, true)).drawn.length).toBe(7);
		expect((await write('Once u', {minTokens: 7, logitBias})).drawn.length).toBe(7);
	});

	it('an end is needed for a choice, and any will do', async () => {
		const {tokenizer} = model;
		const options = parseGenerateOptions({filters: [{select: ['a']}]});
		const place = {seed: 1, tokenizer, vocabulary: tokenizer.vocabSize, texts};
		expect(() => samplerSettings(options, {...place, stopIds: []})).toThrow(
			expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message: expect.stringContaining('no end token')}),
		);
		const open = parseGenerateOptions({filters: [{prefix: 'a'}]});
		expect(samplerSettings(open, {...place, stopIds: []}).filters).toEqual([{texts: ['a'], open: 1}]);
		const [stop] = tokenizer.encode(' x', {addBos: false}).slice(-1);
		const {end} = await write('A', {filters: [{select: [' cat']}], stop: stop!, bannedTokens: [...tokenizer.eosIds]});
		expect(end).toBe(stop);
	});
});

it('what cannot be spelled is refused, and bytes spell everything', async () => {
	const model = await loadModel(join(modelsDirectory, 'tinystories-656k-exl2'), {device: 'cpu', threads: 1});
	const stories = await loadModel(join(modelsDirectory, 'stories260k-hf'), {device: 'cpu', threads: 1});
	const create = ({tokenizer}: Model, filters: GenerateOptions['filters']) => {
		const texts = new Vocabulary(tokenizer);
		try {
			const place = {seed: 1, tokenizer, vocabulary: tokenizer.vocabSize, stopIds: tokenizer.eosIds, texts};
			addon().release(addon().createSampler(samplerSettings(parseGenerateOptions({filters}), place)));
		} finally {
			texts.release();
		}
	};
	try {
		create(stories, [{select: ['你好 \u{1F642}']}]);
		create(model, [{select: ['hello']}]);
		expect(() => create(model, [{select: ['hello', '你好']}])).toThrow(
			expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message: expect.stringContaining('"你好"')}),
		);
	} finally {
		await Promise.all([model.dispose(), stories.dispose()]);
	}
});
