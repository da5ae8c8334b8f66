import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {loadModel, type Model} from '../../lib/model/index.js';
import type {GenerateOptions} from '../../lib/sampling/index.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

const directory = join(modelsDirectory, 'tinystories-656k-exl2');
const prompt = 'Once upon a time';
const greedy = {temperature: 0} as const;
const drawn = {temperature: 1, topP: 1, topK: 0, seed: 7} as const;

keepDevicesOpen();

let model: Model;
let guessing: Model;
beforeAll(async () => {
	model = await loadModel(directory, {device: 'cpu', threads: 2});
	guessing = await loadModel(directory, {device: 'cpu', threads: 2, draft: directory});
});
afterAll(async () => {
	await model.dispose();
	await guessing.dispose();
	expectNothingHeld();
});

const logSoftmax = (logits: ArrayLike<number>): number[] => {
	const list = Array.from(logits);
	const most = Math.max(...list);
	const total = most + Math.log(list.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
	return list.map(logit => logit - total);
};

describe('banned strings', () => {
	it.each([greedy, drawn])('do not occur with %j', async options => {
		const plain = await model.complete(prompt, {...options, maxTokens: 60});
		const bannedStrings = ['little', 'there was', plain.text.trim().split(' ')[3]!, ' a'];
		const result = await model.complete(prompt, {...options, maxTokens: 60, bannedStrings});
		expect(result.tokenIds.length).toBeGreaterThan(10);
		for (const string of bannedStrings) expect(result.text.toLowerCase()).not.toContain(string.toLowerCase());
		const chunks = [];
		for await (const chunk of model.generate(prompt, {...options, maxTokens: 60, bannedStrings})) chunks.push(chunk);
		expect(chunks.map(({text}) => text).join('')).toBe(result.text);
		expect(chunks.flatMap(({tokenIds}) => tokenIds)).toEqual(result.tokenIds);
	});

	it('change nothing if they would not have occurred', async () => {
		const plain = await model.complete(prompt, {...drawn, maxTokens: 60});
		const guarded = await model.complete(prompt, {...drawn, maxTokens: 60, bannedStrings: ['xylophone', 'quantum']});
		expect(guarded.tokenIds).toEqual(plain.tokenIds);
	});
});

describe('log-probabilities', () => {
	it('are those of the model, whatever the sampling', async () => {
		const ids = model.tokenizer.encode(prompt);
		const {details, tokenIds} = await model.complete(ids, {
			...drawn,
			temperature: 0.5,
			topK: 5,
			maxTokens: 4,
			topLogprobs: 3,
		});
		expect(details!.map(({id}) => id)).toEqual(tokenIds);
		for (const [i, {id, logprob, top, logits}] of details!.entries()) {
			const expected = logSoftmax(await model.logits([...ids, ...tokenIds.slice(0, i)]));
			const best = expected.map((p, at) => [p, at] as const).sort(([a], [b]) => b - a);
			expect(logprob).toBeCloseTo(expected[id]!, 4);
			expect(top.map(entry => entry.id)).toEqual(best.slice(0, 3).map(([, at]) => at));
			for (const entry of top) expect(entry.logprob).toBeCloseTo(expected[entry.id]!, 4);
			expect(logits).toBeUndefined();
		}
	});

	it('come with the chunks, and logits if they are wanted', async () => {
		const details = [];
		for await (const chunk of model.generate(prompt, {...greedy, maxTokens: 6, returnLogits: true})) {
			expect(chunk.details!.map(({id}) => id)).toEqual(chunk.tokenIds);
			details.push(...chunk.details!);
		}
		expect(details).toHaveLength(6);
		expect(Array.from(details[0]!.logits!)).toEqual(Array.from(await model.logits(prompt)));
	});
});

describe('a logits hook', () => {
	it('sees the logits and the text, and decides', async () => {
		const seen: number[][] = [];
		const {tokenIds} = await model.complete(prompt, {
			...greedy,
			maxTokens: 3,
			logitsHook: (logits, ids) => {
				seen.push([...ids]);
				return logits.map((_, id) => (id === 100 + seen.length ? 1 : 0));
			},
		});
		expect(tokenIds).toEqual([101, 102, 103]);
		const ids = model.tokenizer.encode(prompt);
		expect(seen).toEqual([ids, [...ids, 101], [...ids, 101, 102]]);
	});

	const bad: [string, () => never][] = [
		['a number', () => 5 as never],
		['too few', () => new Float32Array(3) as never],
		['a promise', () => Promise.resolve() as never],
	];
	it.each(bad)('that returns %s fails its own job only', async (_, logitsHook) => {
		const other = model.complete(prompt, {...greedy, maxTokens: 40});
		await expect(model.complete(prompt, {logitsHook})).rejects.toMatchObject({
			code: 'EXL_INVALID_ARGUMENT',
			op: 'logitsHook',
		});
		expect((await other).completionTokens).toBe(40);
	});

	it('that throws fails its own job only, with what it threw', async () => {
		const mine = new Error('mine');
		const logitsHook = () => {
			throw mine;
		};
		const other = model.complete(prompt, {...greedy, maxTokens: 40});
		await expect(model.complete(prompt, {logitsHook})).rejects.toBe(mine);
		expect((await other).completionTokens).toBe(40);
	});
});

describe('guidance', () => {
	it('mixes the log-probabilities of two prompts', async () => {
		const negativePrompt = 'The dog';
		const [ids, others] = [model.tokenizer.encode(prompt), model.tokenizer.encode(negativePrompt)];
		const {tokenIds} = await model.complete(ids, {...greedy, maxTokens: 12, guidance: {scale: 1.7, negativePrompt}});
		for (const [i, id] of tokenIds.entries()) {
			const before = tokenIds.slice(0, i);
			const ours = logSoftmax(await model.logits([...ids, ...before]));
			const theirs = logSoftmax(await model.logits([...others, ...before]));
			const mixed = ours.map((p, at) => 1.7 * p - 0.7 * theirs[at]!);
			// The logits are floats, and sums of two of them.
			expect(mixed[id]).toBeGreaterThan(Math.max(...mixed) - 1e-3);
		}
	});

	it('of scale 1 is none', async () => {
		const options: GenerateOptions = {...drawn, maxTokens: 30};
		const plain = await model.complete(prompt, options);
		const guided = await model.complete(prompt, {...options, guidance: {scale: 1, negativePrompt: 'The dog'}});
		expect(guided.tokenIds).toEqual(plain.tokenIds);
	});

	it('works with long prompts, guesses and others beside it', async () => {
		const long = Array.from({length: 290}, (_, i) => 3 + ((i * 7) % 900));
		const options: GenerateOptions = {...drawn, maxTokens: 60, guidance: {scale: 1.4, negativePrompt: [1, 5, 9]}};
		const plain = await model.complete(long, options);
		const [guessed] = await Promise.all([
			model.complete(long, {...options, speculative: 'ngram'}),
			...Array.from({length: 5}, () => model.complete(long, {...drawn, maxTokens: 30})),
		]);
		expect(guessed.tokenIds).toEqual(plain.tokenIds);
		expect((await guessing.complete(long, {...options, speculative: 'draft'})).tokenIds).toEqual(plain.tokenIds);
	});
});

describe('guessing', () => {
	it.each([greedy, drawn, {...drawn, mirostat: {}, repetitionPenalty: 1.2}])(
		'gives the very same text with %j',
		async options => {
			const plain = await model.complete(prompt, {...options, maxTokens: 150});
			for (const [by, speculative] of [
				[model, 'ngram'],
				[guessing, 'ngram'],
				[guessing, 'draft'],
			] as const) {
				const {text, tokenIds, speculation} = await by.complete(prompt, {...options, maxTokens: 150, speculative});
				expect([text, tokenIds]).toEqual([plain.text, plain.tokenIds]);
				expect(speculation!.accepted).toBeLessThanOrEqual(speculation!.drafted);
			}
		},
	);

	it('by a model as good is nearly always right', async () => {
		const {speculation, completionTokens} = await guessing.complete(prompt, {...greedy, maxTokens: 80});
		const {drafted, accepted, rounds} = speculation!;
		// Some guesses go beyond the end of the text.
		expect(accepted).toBeGreaterThan(drafted * 0.7);
		expect(rounds).toBeLessThan(completionTokens / 4);
	});

	it('goes on between pages, beside other jobs, and when the cache is shared', async () => {
		const long = Array.from({length: 250}, (_, i) => 3 + ((i * 7) % 900));
		const run = (by: Model, speculative: 'draft' | 'ngram' | false, seed: number) =>
			by.complete([...long, seed], {...drawn, seed, maxTokens: 40, speculative});
		const plain = await Promise.all([1, 2, 3, 4].map(seed => run(model, false, seed)));
		const mixed = await Promise.all(
			[1, 2, 3, 4].map(seed => run(guessing, (['draft', 'ngram', false, 'draft'] as const)[seed - 1]!, seed)),
		);
		expect(mixed.map(({tokenIds}) => tokenIds)).toEqual(plain.map(({tokenIds}) => tokenIds));
		const again = await run(guessing, 'draft', 1);
		expect(again.cachedTokens).toBeGreaterThan(240);
		expect(again.tokenIds).toEqual(plain[0]!.tokenIds);
	});

	it('with a draft model asks for one', async () => {
		await expect(model.complete(prompt, {speculative: 'draft'})).rejects.toMatchObject({
			code: 'EXL_INVALID_ARGUMENT',
			message: expect.stringContaining('no draft model was loaded'),
		});
		const other = join(modelsDirectory, 'stories260k-hf');
		await expect(loadModel(directory, {device: 'cpu', draft: other})).rejects.toMatchObject({
			code: 'EXL_INVALID_ARGUMENT',
			message: expect.stringMatching(/draft must have the vocabulary .* 512 tokens, .* 2048/),
		});
	});
});

describe('filters', () => {
	const story = 'Once upon a time, there was a little girl. She had a pet. It was a';

	it.each([greedy, drawn])('let exactly one of the choices through with %j', async options => {
		const choices = [' dog', ' cat', ' cat and a dog', ' bird'];
		const others = Array.from({length: 6}, (_, seed) => model.complete(prompt, {...drawn, seed, maxTokens: 40}));
		const {text, finishReason} = await model.complete(story, {...options, filters: [{select: choices}]});
		expect(choices).toContain(text);
		expect(finishReason).toBe('stop');
		await Promise.all(others);
	});

	it('begin the text with a prefix, guessed or not, and go on from there', async () => {
		const filters = [{prefix: ' big, red dragon'}];
		const plain = await model.complete(story, {...drawn, maxTokens: 40, filters});
		expect(plain.text.startsWith(' big, red dragon')).toBe(true);
		expect(plain.text.length).toBeGreaterThan(' big, red dragon'.length + 20);
		for (const [by, speculative] of [
			[model, 'ngram'],
			[guessing, 'draft'],
		] as const) {
			const guessed = await by.complete(story, {...drawn, maxTokens: 40, filters, speculative});
			expect(guessed.tokenIds).toEqual(plain.tokenIds);
		}
	});

	it('rewind with banned strings', async () => {
		const filters = [{select: [' dog', ' dogs', ' bird']}];
		const {text} = await model.complete(story, {...greedy, filters, bannedStrings: ['DOG']});
		expect(text).toBe(' bird');
		await expect(model.complete(story, {...greedy, filters, bannedStrings: ['dog', 'bird']})).rejects.toMatchObject({
			code: 'EXL_INVALID_ARGUMENT',
			message: expect.stringContaining('leave no token'),
		});
	});

	it('fail their own job if nothing can be drawn', async () => {
		const other = model.complete(prompt, {...greedy, maxTokens: 40});
		const contradiction = {filters: [{select: ['a']}, {prefix: 'b'}]};
		await expect(model.complete(prompt, contradiction)).rejects.toMatchObject({
			code: 'EXL_INVALID_ARGUMENT',
			op: 'filters',
		});
		expect((await other).completionTokens).toBe(40);
	});
});

describe('token healing', () => {
	it('draws the last token of the prompt anew', async () => {
		// The last token of this is part of what would be one.
		const cut = 'Once upon a time, there was a li';
		const plain = await model.complete(cut, {...greedy, maxTokens: 20});
		const {text, tokenIds, promptTokens} = await model.complete(cut, {...greedy, maxTokens: 20, tokenHealing: true});
		expect(text).toMatch(/^ttle /);
		expect(plain.text).not.toBe(text);
		expect(promptTokens).toBe(plain.promptTokens - 1);
		expect(tokenIds.length).toBeLessThanOrEqual(20);
		const chunks = [];
		for await (const chunk of model.generate(cut, {...greedy, maxTokens: 20, tokenHealing: true}))
			chunks.push(chunk.text);
		expect(chunks.join('')).toBe(text);
	});

	it('changes nothing where there is nothing to heal', async () => {
		const plain = await model.complete([1], {...drawn, maxTokens: 20});
		expect((await model.complete([1], {...drawn, maxTokens: 20, tokenHealing: true})).tokenIds).toEqual(plain.tokenIds);
	});
});

describe('the view for dashboards', () => {
	it('shows jobs and pages while they are there', async () => {
		const generation = model.generate(prompt, {...greedy, maxTokens: 200});
		const reader = generation[Symbol.asyncIterator]();
		await reader.next();
		const {jobs, pages, steps} = await model.generator.snapshot();
		expect(jobs).toMatchObject([{promptTokens: 6, priority: 0}]);
		expect(pages.used + pages.cached + pages.free).toBe(pages.total);
		expect(steps).toBeGreaterThan(0);
		await reader.return();
		expect((await model.generator.snapshot()).jobs).toEqual([]);
	});

	it('can be watched', async () => {
		const controller = new AbortController();
		const seen = [];
		const watch = async () => {
			for await (const snapshot of model.generator.observe({intervalMs: 2, signal: controller.signal}))
				seen.push(snapshot);
		};
		const watching = watch();
		await Promise.all(Array.from({length: 20}, () => model.complete(prompt, {maxTokens: 50})));
		controller.abort();
		await watching;
		expect(seen.length).toBeGreaterThan(2);
	});
});
