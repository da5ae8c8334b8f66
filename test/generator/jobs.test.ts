import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {GenerateResult} from '../../lib/generator/index.js';
import {loadModel, type Model} from '../../lib/model/index.js';
import type {GenerateOptions} from '../../lib/sampling/index.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';
import {seededRandom} from '../support/random.js';

const directory = join(modelsDirectory, 'tinystories-656k-exl2');
const jobCount = Number(process.env['EXL_TEST_JOBS'] ?? 1500);

keepDevicesOpen();

const random = seededRandom(11);

let model: Model;
/** Runs one job at a time. */
let alone: Model;
beforeAll(async () => {
	// Few pages, so that jobs drive each other out.
	model = await loadModel(directory, {device: 'cpu', threads: 2, maxBatch: 8, cache: {tokens: 12 * 256}});
	alone = await loadModel(directory, {device: 'cpu', threads: 1, maxBatch: 2, cache: {tokens: 2 * 512}});
});
afterAll(async () => {
	await model.dispose();
	await alone.dispose();
	expectNothingHeld();
});

const stems = [
	'Once upon a time',
	'Once upon a time there was a little girl who liked to play in the park with her dog. One day',
	'Once upon a time there was a little girl who liked to play in the park with her cat. The cat',
	'The little dog was very happy because',
];

/** Prompts of very different lengths, which have much in common. */
function somePrompt(): number[] {
	const ids = model.tokenizer.encode(random.pick(stems));
	const length = random.pick([ids.length, 20, 100, 255, 256, 257, 300, 400]);
	while (ids.length < length) ids.push(3 + ((ids.length * 7) % 500));
	if (random.int(3) === 0) ids.push(3 + random.int(500));
	return ids;
}

/** Settings that are likely to get in each other's way. */
function someOptions(): GenerateOptions {
	const maxTokens = 1 + random.int(random.pick([4, 30, 90]));
	const settings: readonly GenerateOptions[] = [
		{temperature: 0},
		{temperature: 0, repetitionPenalty: 1.1},
		{temperature: 1, topP: 1, topK: 0},
		{temperature: 1, mirostat: {}, frequencyPenalty: 0.2},
		{temperature: 0.8, dry: {multiplier: 0.8}, minTokens: Math.min(5, maxTokens)},
		{temperature: 0, speculative: 'ngram'},
		{temperature: 1, speculative: 'ngram', seed: 3},
		{temperature: 1, bannedStrings: ['the', 'was', 'a little']},
		{temperature: 1, filters: [{select: [' day', ' dog', ' little girl']}], tokenHealing: true},
		{temperature: 1, guidance: {scale: 1.3, negativePrompt: [1, 7, 7]}, speculative: 'ngram'},
		{temperature: 0, stop: [' day', 'and', ' was']},
		{temperature: 1, topLogprobs: 2, allowedTokens: Array.from({length: 300}, (_, i) => 3 + i * 5)},
		{temperature: 0, logitsHook: logits => logits.map((logit, id) => (id === 13 ? -50 : logit))},
	];
	return {maxTokens, seed: random.int(1e6), priority: random.int(3), ...random.pick(settings)};
}

/** What must not depend on who else runs. */
const essence = ({text, tokenIds, finishReason, details}: GenerateResult) => ({
	text,
	tokenIds,
	finishReason,
	details: details?.map(({id, logprob}) => [id, logprob]),
});

it(`${jobCount} jobs at random moments end as each would alone, and leave all pages free`, async () => {
	const reason = new Error('enough');
	const wave = async () => {
		const runs = Array.from({length: 50}, async () => {
			const prompt = somePrompt();
			const options = someOptions();
			await sleep(random.int(30));
			if (random.int(5) === 0) {
				const controller = new AbortController();
				const job = model.complete(prompt, {...options, signal: controller.signal});
				await sleep(random.int(10));
				controller.abort(reason);
				await expect(job.catch(error => error)).resolves.toSatisfy(end => end === reason || 'text' in end);
				return undefined;
			}
			if (random.int(5) === 0) {
				let chunks = random.int(20);
				for await (const _ of model.generate(prompt, options)) if (chunks-- === 0) break;
				return undefined;
			}
			return {prompt, options, result: await model.complete(prompt, options)};
		});
		return (await Promise.all(runs)).filter(run => run !== undefined);
	};
	for (let done = 0; done < jobCount; done += 50) {
		for (const {prompt, options, result} of await wave()) {
			const expected = essence(await alone.complete(prompt, options));
			expect(essence(result), `${prompt.length} tokens, ${JSON.stringify(options)}`).toEqual(expected);
		}
	}
	const {jobs, waiting, pages} = await model.generator.snapshot();
	expect({jobs, waiting, used: pages.used}).toEqual({jobs: [], waiting: 0, used: 0});
}, 300_000);

describe('jobs that share a cache', () => {
	it('wait for pages, and all end', async () => {
		const prompts = Array.from({length: 12}, (_, i) => Array.from({length: 300}, (_, k) => 3 + ((k * (i + 3)) % 700)));
		const results = await Promise.all(
			prompts.map(ids => model.complete(ids, {temperature: 0, maxTokens: 150, minTokens: 150})),
		);
		expect(results.map(({completionTokens}) => completionTokens)).toEqual(prompts.map(() => 150));
		expect((await model.generator.snapshot()).pages.used).toBe(0);
	});

	it('compute what they have in common once', async () => {
		const ids = Array.from({length: 300}, (_, i) => 3 + ((i * 11) % 900));
		const results = await Promise.all(
			Array.from({length: 6}, (_, i) => model.complete([...ids, 5 + i], {temperature: 0, maxTokens: 4})),
		);
		const computed = results.reduce((sum, {promptTokens, cachedTokens}) => sum + promptTokens - cachedTokens, 0);
		// The first page once, and what is left of each prompt.
		expect(computed).toBeLessThanOrEqual(256 + 6 * 45);
	});

	it('begin together if they are started together', async () => {
		const before = (await model.generator.snapshot()).steps;
		const prompts = Array.from({length: 6}, (_, i) => [1, 700 + i, 800 + i]);
		await Promise.all(prompts.map(ids => model.complete(ids, {temperature: 0, maxTokens: 10, minTokens: 10})));
		// A step each for the tokens of all, and one that was under way when the last of them came.
		expect((await model.generator.snapshot()).steps - before).toBeLessThanOrEqual(11);
	});

	it('find what an earlier one left', async () => {
		const ids = Array.from({length: 290}, (_, i) => 3 + ((i * 13) % 900));
		await model.complete(ids, {temperature: 0, maxTokens: 1});
		const again = await model.complete(ids, {temperature: 0, maxTokens: 20});
		expect(again.cachedTokens).toBe(289);
		expect(again.text).toBe((await alone.complete(ids, {temperature: 0, maxTokens: 20})).text);
	});

	it('go first if they are told to', async () => {
		const order: string[] = [];
		const run = (name: string, priority: number) =>
			model
				.complete(`${name} and`, {temperature: 0, maxTokens: 60, minTokens: 60, priority})
				.then(() => order.push(name));
		await Promise.all([
			...Array.from({length: 12}, () => run('late', 0)),
			...Array.from({length: 4}, () => run('early', 1)),
		]);
		expect(order.lastIndexOf('early')).toBeLessThan(order.length - 1);
	});
});

describe('scoring beside jobs', () => {
	it('gives the same numbers', async () => {
		const text = stems[1]!;
		const expected = await alone.score(text);
		const [score, logits] = await Promise.all([
			model.score(text),
			model.logits(text),
			...Array.from({length: 10}, () => model.complete(text, {maxTokens: 20})),
		]);
		expect(score).toEqual(expected);
		expect(logits).toEqual(await alone.logits(text));
	});
});
