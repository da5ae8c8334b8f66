import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, describe, expect, it} from 'vitest';
import type {Chunk, Generation} from '../../lib/generator/index.js';
import {loadModel, type Model} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

const directory = join(modelsDirectory, 'tinystories-656k-exl2');
const greedy = {temperature: 0, repetitionPenalty: 1} as const;
const prompt = 'Once upon a time';

keepDevicesOpen();

let model: Model;
beforeAll(async () => {
	model = await loadModel(directory, {device: 'cpu', threads: 2});
});
afterAll(async () => {
	await model.dispose();
	expectNothingHeld();
});

async function chunksOf(generation: Generation): Promise<Chunk[]> {
	const chunks = [];
	for await (const chunk of generation) chunks.push(chunk);
	return chunks;
}

describe('one answer', () => {
	it('is the same however it is asked for', async () => {
		const options = {...greedy, maxTokens: 40};
		const result = await model.complete(prompt, options);
		expect(result).toMatchObject({promptTokens: 6, completionTokens: 40, cachedTokens: 0, finishReason: 'length'});
		expect(result.tokenIds).toHaveLength(40);
		expect(result.text).toMatch(/^, a little girl/);

		const generation = model.generate(prompt, options);
		const chunks = await chunksOf(generation);
		expect(chunks.length).toBeGreaterThan(10);
		expect(chunks.map(({text}) => text).join('')).toBe(result.text);
		expect(chunks.flatMap(({tokenIds}) => tokenIds)).toEqual(result.tokenIds);
		expect(await generation.result).toEqual({...result, seed: expect.any(Number), timings: expect.any(Object)});

		expect(await model.generate(prompt, options).text()).toBe(result.text);
		expect((await model.complete(model.tokenizer.encode(prompt), options)).text).toBe(result.text);
	});

	it('reports how long it took', async () => {
		const {timings} = await model.complete(prompt, {...greedy, maxTokens: 20});
		const {promptMs, decodeMs, promptTokensPerSecond, tokensPerSecond} = timings;
		expect(promptMs).toBeGreaterThan(0);
		expect(promptTokensPerSecond).toBeCloseTo(6000 / promptMs, 6);
		expect(tokensPerSecond).toBeCloseTo(19_000 / decodeMs, 6);
	});

	it('counts what it computed, not what it found in the cache', async () => {
		const ids = Array.from({length: 300}, (_, i) => 3 + ((i * 31) % 500));
		for (const cached of [0, 299]) {
			const {timings, promptTokens, cachedTokens} = await model.complete(ids, {...greedy, maxTokens: 1});
			expect({promptTokens, cachedTokens}).toEqual({promptTokens: 300, cachedTokens: cached});
			expect(timings.promptTokensPerSecond).toBeCloseTo(((300 - cached) * 1000) / timings.promptMs, 6);
		}
	});

	it('can be iterated after it was awaited, and twice', async () => {
		const generation = model.generate(prompt, {...greedy, maxTokens: 12});
		const {text, tokenIds} = await generation.result;
		for (let i = 0; i < 2; i++) expect(await chunksOf(generation)).toEqual([{text, tokenIds}]);
	});

	it('can be awaited in the middle of the loop', async () => {
		const generation = model.generate(prompt, {...greedy, maxTokens: 80});
		const texts: string[] = [];
		for await (const {text} of generation) {
			// By now far more chunks are on their way than may wait for a reader.
			if (texts.length === 0) expect((await generation.result).completionTokens).toBe(80);
			texts.push(text);
		}
		expect(texts.length).toBeGreaterThan(45);
		expect(texts.join('')).toBe(await generation.text());
	});

	it('runs no further ahead of its reader than a few dozen chunks, and holds nobody up', async () => {
		const slow = model.generate(prompt, {...greedy, maxTokens: 200});
		const reader = slow[Symbol.asyncIterator]();
		await reader.next();
		const {completionTokens: others} = await model.complete(prompt, {...greedy, maxTokens: 200});
		expect(others).toBeGreaterThan(60);
		const {jobs} = await model.generator.snapshot();
		expect(jobs).toMatchObject([{state: 'paused'}]);
		expect(jobs[0]!.completionTokens).toBeLessThan(60);
		await reader.return();
		const {completionTokens, finishReason} = await slow.result;
		expect(finishReason).toBe('abort');
		expect(completionTokens).toBe(jobs[0]!.completionTokens);
	});

	it('goes on where it was when a slow reader comes back', async () => {
		const slow = model.generate(prompt, {...greedy, maxTokens: 200});
		const chunks = [];
		for await (const chunk of slow) {
			if (chunks.push(chunk) % 40 === 0) await model.complete(prompt, {maxTokens: 3, seed: 1});
		}
		const {text, tokenIds} = await model.complete(prompt, {...greedy, maxTokens: 200});
		expect(chunks.map(chunk => chunk.text).join('')).toBe(text);
		expect(chunks.flatMap(chunk => chunk.tokenIds)).toEqual(tokenIds);
	});
});

describe('leaving the loop', () => {
	const leave = {
		break: async (generation: Generation) => {
			for await (const _ of generation) break;
		},
		throw: async (generation: Generation) => {
			const failed = async () => {
				for await (const _ of generation) throw new Error('mine');
			};
			await expect(failed()).rejects.toThrow('mine');
		},
	};

	it.each(Object.entries(leave))('by %s frees the cache for the next job', async (_, leaveLoop) => {
		const generation = model.generate(prompt, {...greedy, maxTokens: 200});
		await leaveLoop(generation);
		const {text, tokenIds, finishReason} = await generation.result;
		expect(finishReason).toBe('abort');
		expect(tokenIds.length).toBeLessThan(50);
		const whole = await model.complete(prompt, {...greedy, maxTokens: tokenIds.length});
		expect([text, tokenIds]).toEqual([whole.text, whole.tokenIds]);
	});
});

describe('several answers', () => {
	it('come side by side, each as if it were alone', async () => {
		const prompts = [prompt, 'The little dog was very happy because', 'Tom and Sam went to the park. They'];
		const options = {...greedy, maxTokens: 30};
		const texts = await Promise.all(prompts.map(async text => (await model.complete(text, options)).text));
		expect(new Set(texts).size).toBe(3);
		for (const [i, text] of prompts.entries()) expect(await model.generate(text, options).text()).toBe(texts[i]);
	});

	it('stream side by side', async () => {
		const options = {...greedy, maxTokens: 30};
		const seen: string[] = [];
		const read = async (name: string) => {
			for await (const _ of model.generate(prompt, options)) seen.push(name);
		};
		await Promise.all([read('a'), read('b')]);
		expect(seen.indexOf('b')).toBeLessThan(10);
		expect(seen.lastIndexOf('a')).toBeGreaterThan(seen.length - 10);
	});
});

describe('seeds', () => {
	const draw = (seed: number | undefined) => model.complete(prompt, {maxTokens: 40, temperature: 1, topP: 1, seed});

	it('decide the text, whatever the number of threads', async () => {
		const first = await draw(7);
		expect(first.seed).toBe(7);
		expect((await draw(7)).tokenIds).toEqual(first.tokenIds);
		await using single = await loadModel(directory, {device: 'cpu', threads: 1});
		const again = await single.complete(prompt, {maxTokens: 40, temperature: 1, topP: 1, seed: 7});
		expect(again.tokenIds).toEqual(first.tokenIds);
	});

	it('make a difference, and are reported when they were chosen', async () => {
		const results = await Promise.all([draw(1), draw(2), draw(undefined), draw(undefined)]);
		expect(new Set(results.map(({text}) => text)).size).toBe(4);
		const [, , chosen] = results;
		expect((await draw(chosen!.seed)).tokenIds).toEqual(chosen!.tokenIds);
	});
});

describe('the end', () => {
	it.each([1, 2, 33, 80])('comes after %i tokens', async maxTokens => {
		const result = await model.complete(prompt, {...greedy, maxTokens});
		expect(result.tokenIds).toHaveLength(maxTokens);
		expect(result).toMatchObject({finishReason: 'length', completionTokens: maxTokens});
	});

	it('comes before a stop string, wherever tokens end', async () => {
		const {text} = await model.complete(prompt, {...greedy, maxTokens: 60});
		for (const stop of ['girl', 'ttle g', ', a', 'big, soft']) {
			const chunks = await chunksOf(model.generate(prompt, {...greedy, maxTokens: 60, stop}));
			expect(chunks.map(chunk => chunk.text).join('')).toBe(text.slice(0, text.indexOf(stop)));
			const result = await model.complete(prompt, {...greedy, maxTokens: 60, stop: ['never there', stop]});
			expect(result).toMatchObject({text: text.slice(0, text.indexOf(stop)), finishReason: 'stop'});
			expect(chunks.flatMap(chunk => chunk.tokenIds)).toEqual(result.tokenIds);
		}
	});

	it('comes at a stop token, which is not part of the answer', async () => {
		const {tokenIds} = await model.complete(prompt, {...greedy, maxTokens: 20});
		const stop = tokenIds[7]!;
		const result = await model.complete(prompt, {...greedy, maxTokens: 20, stop});
		expect(result.tokenIds).toEqual(tokenIds.slice(0, tokenIds.indexOf(stop)));
		expect(result.finishReason).toBe('stop');
	});

	it('comes at the end of the context', async () => {
		const ids = Array.from({length: 500}, (_, i) => 3 + (i % 200));
		const result = await model.complete(ids, greedy);
		if (result.finishReason === 'length') expect(result.completionTokens).toBe(512 - 500 + 1);
		expect(result.completionTokens).toBeLessThanOrEqual(13);
	});
});

describe('prompts', () => {
	const ids = (length: number) => Array.from({length}, (_, i) => 3 + (i % 200));

	it('may fill the context and not more', async () => {
		expect(model.contextTokens).toBe(512);
		const full = await model.complete(ids(512), {...greedy, maxTokens: 5});
		expect(full.completionTokens).toBeLessThanOrEqual(1);
		const tooLong = expect.objectContaining({code: 'EXL_CONTEXT_LENGTH', message: expect.stringMatching(/513.*512/)});
		await expect(model.complete(ids(513))).rejects.toEqual(tooLong);
		await expect(model.score(ids(513))).rejects.toEqual(tooLong);
		await expect(model.logits(ids(513))).rejects.toEqual(tooLong);
		expect((await model.score(ids(512))).tokens).toBe(511);
	});

	it.each([1, 100, 256, 300])('may fill a cache of %i tokens and not more', async tokens => {
		await using small = await loadModel(directory, {device: 'cpu', cache: {tokens}});
		expect(small.cacheTokens).toBe(tokens);
		const {promptTokens} = await small.complete(ids(tokens), {...greedy, maxTokens: 3});
		expect(promptTokens).toBe(tokens);
		const full = expect.objectContaining({
			code: 'EXL_CACHE_FULL',
			message: expect.stringMatching(new RegExp(`${tokens + 1} tokens.* ${tokens};`)),
		});
		await expect(small.complete(ids(tokens + 1))).rejects.toEqual(full);
	});

	it.each([
		['an id below the vocabulary', [1, -1], /token 1 of the prompt is -1, expected 0 to 2047/],
		['an id above the vocabulary', [2048], /token 0 of the prompt is 2048, expected 0 to 2047/],
		['half an id', [1, 2, 1.5], /token 2 of the prompt is 1.5/],
		['no number', ['1'], /token 0 of the prompt is 1/],
		['an empty list', [], /the prompt is empty/],
		['another type', 7, /the prompt must be a string or a list of token ids/],
		['nothing', undefined, /the prompt must be/],
	])('may not have %s', async (_, wrong, message) => {
		for (const call of ['generate', 'complete', 'score', 'logits'] as const) {
			const called = model[call](wrong as number[]);
			const error = {code: 'EXL_INVALID_ARGUMENT', message: expect.stringMatching(message)};
			await expect('result' in called ? called.result : called, call).rejects.toEqual(expect.objectContaining(error));
		}
	});

	it('may be empty text if the tokenizer begins every text', async () => {
		expect((await model.complete('', {...greedy, maxTokens: 2})).promptTokens).toBe(1);
		await expect(async () => model.complete('', {addBos: false})).rejects.toThrow('the prompt is empty');
	});

	it('need two tokens for a score', async () => {
		await expect(async () => model.score([1])).rejects.toThrow('at least 2 tokens');
		const {tokens, meanNll, perplexity, logProbs} = await model.score([1, 80]);
		expect([tokens, logProbs.length]).toEqual([1, 1]);
		expect(perplexity).toBeCloseTo(Math.exp(meanNll), 12);
		expect(meanNll).toBeCloseTo(-logProbs[0]!, 12);
	});
});

describe('options', () => {
	afterEach(async () => {
		expect((await model.complete(prompt, {...greedy, maxTokens: 1})).completionTokens).toBe(1);
	});

	it.each([
		[{maxTokens: 0}, 'maxTokens must be'],
		[{maxTokens: 1.5}, 'maxTokens must be'],
		[{temperature: -1}, 'temperature must be'],
		[{temperature: Number.NaN}, 'temperature must be'],
		[{topP: 1.1}, 'topP must be'],
		[{topK: -1}, 'topK must be'],
		[{minP: 2}, 'minP must be'],
		[{repetitionPenalty: 0}, 'repetitionPenalty must be'],
		[{seed: -1}, 'seed must be'],
		[{stop: ''}, 'stop must be'],
		[{stop: [-1]}, 'stop must be'],
		[{signal: {}}, 'signal must be'],
		[{max_tokens: 3}, 'did you mean "maxTokens"?'],
		[null, 'must be an object'],
	])('%j are refused', async (options, message) => {
		const error = {code: 'EXL_INVALID_ARGUMENT', message: expect.stringContaining(message)};
		await expect(model.generate(prompt, options as object).result).rejects.toEqual(expect.objectContaining(error));
	});
});
