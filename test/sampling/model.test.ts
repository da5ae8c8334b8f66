import {join} from 'node:path';
import {afterAll, beforeAll, expect, it} from 'vitest';
import {loadModel, type Model} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';
import {keepDevicesOpen} from '../support/memory.js';

const prompt = 'Once upon a time';

keepDevicesOpen();

let model: Model;
beforeAll(async () => {
	model = await loadModel(join(modelsDirectory, 'tinystories-656k-exl2'), {device: 'cpu', threads: 1});
});
afterAll(() => model.dispose());

it('the least number of tokens is exact, for the end tokens of the model and for those given', async () => {
	const greedy = {temperature: 0, maxTokens: 40};
	const {tokenIds} = await model.complete(prompt, greedy);
	const end = tokenIds[9]!;
	const first = tokenIds.indexOf(end);
	expect((await model.complete(prompt, {...greedy, stop: end})).tokenIds).toEqual(tokenIds.slice(0, first));

	for (const minTokens of [first + 1, 20, 40]) {
		const result = await model.complete(prompt, {...greedy, stop: end, minTokens});
		expect(result.completionTokens).toBeGreaterThanOrEqual(minTokens);
		expect(result.tokenIds).not.toContain(end);
	}
	// An id no token can have is refused, not mistaken for another one.
	await expect(model.complete(prompt, {...greedy, stop: 2 ** 32 + tokenIds[0]!})).rejects.toMatchObject({
		code: 'EXL_INVALID_ARGUMENT',
		op: 'stop',
	});
	const wanted = {...greedy, logitBias: Object.fromEntries(model.tokenizer.eosIds.map(id => [id, 1000]))};
	expect(await model.complete(prompt, wanted)).toMatchObject({completionTokens: 0, finishReason: 'stop'});
	const held = await model.complete(prompt, {...wanted, minTokens: 7});
	expect(held).toMatchObject({completionTokens: 7, finishReason: 'stop'});
});

it('tokens are allowed, banned and wished for', async () => {
	const options = {seed: 1, maxTokens: 30};
	const {tokenIds} = await model.complete(prompt, options);
	const banned = [...new Set(tokenIds)].slice(0, 5);
	const without = await model.complete(prompt, {...options, bannedTokens: banned});
	expect(without.tokenIds.filter(id => banned.includes(id))).toEqual([]);
	const only = await model.complete(prompt, {...options, allowedTokens: banned});
	expect(only.tokenIds.filter(id => !banned.includes(id))).toEqual([]);
	const one = await model.complete(prompt, {...options, logitBias: new Map([[banned[0]!, 1000]])});
	expect(new Set(one.tokenIds)).toEqual(new Set([banned[0]]));
});

it('everything at once gives a text, the same for the same seed', async () => {
	const options = {
		...{seed: 5, maxTokens: 30, temperature: 1.2, temperatureLast: true, topK: 0, topP: 0.95, topA: 0.01, tfs: 0.99},
		...{typicalP: 0.99, minP: 0.001, frequencyPenalty: 0.1, presencePenalty: 0.1, repetitionDecay: 5, skew: 0.1},
		...{dry: {multiplier: 0.8}, xtc: {probability: 0.3}, mirostat: {tau: 4}, smoothingFactor: 0.1},
		...{dynamicTemperature: {min: 0.5, max: 1.5}, repetitionRange: 20},
	};
	const {tokenIds} = await model.complete(prompt, options);
	expect(tokenIds.length).toBeGreaterThan(5);
	expect((await model.complete(prompt, options)).tokenIds).toEqual(tokenIds);
});

it('DRY ends a loop unless its breakers forbid', async () => {
	const piece = model.tokenizer.encode(' Tom and Sam ran', {addBos: false});
	const loop = [...piece, ...piece, ...piece];
	const next = async (dry?: {multiplier: number; breakers?: (string | number)[]}) => {
		const logitBias = {[piece[0]!]: 30};
		return (await model.complete(loop, {temperature: 0, maxTokens: 1, logitBias, dry})).tokenIds[0];
	};
	expect(await next()).toBe(piece[0]);
	expect(await next({multiplier: 50})).not.toBe(piece[0]);
	expect(await next({multiplier: 50, breakers: [piece.at(-1)!]})).toBe(piece[0]);
	expect(await next({multiplier: 50, breakers: [model.tokenizer.decode([piece.at(-1)!]).trim()]})).toBe(piece[0]);
});

it.each([
	[{bannedTokens: [1_000_000]}, /^bannedTokens must have token ids from 0 to \d+; got 1000000$/],
	[{allowedTokens: [1_000_000]}, /^allowedTokens must have token ids/],
	[{logitBias: {1000000: 1}}, /^logitBias must have token ids/],
	[{dry: {multiplier: 1, breakers: [1_000_000]}}, /^dry.breakers must have token ids/],
])('refuses ids outside of the vocabulary: %j', async (options, message) => {
	await expect(model.complete(prompt, options)).rejects.toMatchObject({
		code: 'EXL_INVALID_ARGUMENT',
		message: expect.stringMatching(message),
	});
	expect((await model.complete(prompt, {maxTokens: 2})).completionTokens).toBe(2);
});

it('fails where no token is left, and the next job goes on', async () => {
	const bannedTokens = Array.from({length: model.tokenizer.vocabSize}, (_, id) => id);
	const left = {code: 'EXL_INVALID_ARGUMENT', message: expect.stringContaining('leave no token')};
	await expect(model.complete(prompt, {bannedTokens})).rejects.toMatchObject(left);
	const ends = {allowedTokens: [...model.tokenizer.eosIds], minTokens: 2};
	await expect(model.complete(prompt, ends)).rejects.toMatchObject(left);
	expect((await model.complete(prompt, {maxTokens: 2})).completionTokens).toBe(2);
});
