import {cp, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import type {Chunk, Generation} from '../../lib/generator/index.js';
import {loadModel, type Model} from '../../lib/isolate/index.js';
import {scope} from '../../lib/memory/scope.js';
import type {LoadProgress} from '../../lib/options/index.js';
import {modelsDirectory, temporaryDirectory} from '../support/directory.js';
import {expectNothingHeld} from '../support/memory.js';
import {caught, children, directory, greedy, isolated, prompt, sleep} from './support.js';

let local: Model;
let model: Model;
beforeAll(async () => {
	[local, model] = await Promise.all([loadModel(directory, {device: 'cpu', threads: 1}), isolated()]);
});
afterAll(async () => {
	await Promise.all([local.dispose(), model.dispose()]);
	expectNothingHeld();
	expect(children()).toEqual([]);
});

/** Promises that were rejected with nobody listening. */
const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
	unhandled.length = 0;
	process.on('unhandledRejection', note);
});
afterEach(async () => {
	await sleep(5);
	process.off('unhandledRejection', note);
	expect(unhandled).toEqual([]);
});

const ids = (length: number) => Array.from({length}, (_, i) => 3 + (i % 200));

async function chunksOf(generation: Generation): Promise<Chunk[]> {
	const chunks = [];
	for await (const chunk of generation) chunks.push(chunk);
	return chunks;
}

describe('an isolated model', () => {
	it('says the same of itself as one in this process', () => {
		const {architecture, contextTokens, cacheTokens, device, loader} = local;
		expect(model).toMatchObject({architecture, contextTokens, cacheTokens, device, loader});
		expect(model.tokenizer.encode(prompt)).toEqual(local.tokenizer.encode(prompt));
		expect(model.tokenizer.decode(model.tokenizer.encode(prompt))).toBe(prompt);
	});

	it.each([greedy, {temperature: 1, topP: 1, seed: 7}, {seed: 3, stop: ['.', 5]}])(
		'answers the same to %j',
		async o => {
			const options = {...o, maxTokens: 150};
			const expected = {
				...(await local.complete(prompt, options)),
				timings: expect.any(Object),
				seed: expect.any(Number),
			};
			expect(await model.complete(prompt, options)).toEqual(expected);
			expect(await model.generate(prompt, options).text()).toBe(expected.text);
			expect((await model.complete(model.tokenizer.encode(prompt), options)).text).toBe(expected.text);
			const generation = model.generate(prompt, options);
			const chunks = await chunksOf(generation);
			expect(chunks).toEqual(await chunksOf(local.generate(prompt, options)));
			expect(await generation.result).toEqual(expected);
			expect(await chunksOf(generation)).toEqual([{text: expected.text, tokenIds: expected.tokenIds}]);
		},
	);

	it('scores and gives logits, bit by bit', async () => {
		const score = await model.score(ids(300));
		expect(score.logProbs).toBeInstanceOf(Float64Array);
		expect(score).toEqual(await local.score(ids(300)));
		const [mine, theirs] = await Promise.all([model.logits(prompt), local.logits(prompt)]);
		expect(Object.getPrototypeOf(mine)).toBe(Object.getPrototypeOf(theirs));
		expect(mine).toEqual(theirs);
	});

	it('chats', async () => {
		const copy = await temporaryDirectory();
		await cp(directory, copy, {recursive: true});
		await writeFile(join(copy, 'chat_template.jinja'), '{% for m in messages %}{{ m.content }}{% endfor %}');
		await using talker = await isolated({}, copy);
		const text = await talker.chat([{role: 'user', content: prompt}], {...greedy, maxTokens: 20}).text();
		expect(text).toBe((await local.complete(prompt, {...greedy, maxTokens: 20})).text);
	});

	it('can be one of two', async () => {
		await using other = await isolated({}, join(modelsDirectory, 'stories260k-hf'));
		const options = {...greedy, maxTokens: 60};
		const [a, b] = await Promise.all([model.complete(prompt, options), other.complete(prompt, options)]);
		expect(a.text).toBe((await local.complete(prompt, options)).text);
		expect(b.text).not.toBe(a.text);
		expect(children()).toHaveLength(2);
	});

	it('is disposed of with a scope', async () => {
		await scope(async () => {
			await isolated();
			expect(children()).toHaveLength(2);
		});
		expect(children()).toHaveLength(1);
	});

	it('fails all calls after dispose(), and keeps its tokenizer', async () => {
		const short = await isolated();
		const running = short.complete(prompt, {...greedy, maxTokens: 400});
		const before = short.generate(prompt);
		await Promise.all([short.dispose(), short.dispose(), short[Symbol.asyncDispose]()]);
		const disposed = expect.objectContaining({code: 'EXL_DISPOSED'});
		await expect(running).rejects.toEqual(disposed);
		await expect(before.result).rejects.toEqual(disposed);
		for (const call of ['complete', 'score', 'logits'] as const) {
			await expect(short[call](prompt), call).rejects.toEqual(disposed);
		}
		for (const stream of [short.generate(prompt), short.chat([])]) {
			await expect(stream.result).rejects.toEqual(disposed);
		}
		expect(short.tokenizer.decode(short.tokenizer.encode(prompt))).toBe(prompt);
	});
});

describe('a stream', () => {
	it.each(['break', 'throw'])('that is left by %s frees the cache for the next job', async way => {
		const generation = model.generate(prompt, {...greedy, maxTokens: 400});
		const read = async () => {
			for await (const _ of generation) {
				if (way === 'break') break;
				throw new Error('mine');
			}
		};
		expect(await caught(read())).toEqual(way === 'break' ? 'no error' : new Error('mine'));
		const {finishReason, tokenIds, text} = await generation.result;
		expect(finishReason).toBe('abort');
		expect(tokenIds.length).toBeLessThan(300);
		const whole = await model.complete(prompt, {...greedy, maxTokens: tokenIds.length});
		expect([text, tokenIds]).toEqual([whole.text, whole.tokenIds]);
	});

	it('does not run far ahead of a slow reader, who holds nobody up', async () => {
		const slow = model.generate(prompt, {...greedy, maxTokens: 400});
		const reader = slow[Symbol.asyncIterator]();
		await reader.next();
		expect((await model.complete(prompt, {...greedy, maxTokens: 400})).completionTokens).toBeGreaterThan(300);
		// Each chunk that is read makes room for one more, and not for another message.
		for (let i = 0; i < 20; i++) await reader.next();
		await sleep(100);
		const {jobs} = await model.generator.snapshot();
		expect(jobs).toMatchObject([{state: 'paused'}]);
		await reader.return();
		const {completionTokens, finishReason} = await slow.result;
		expect(finishReason).toBe('abort');
		expect(completionTokens).toBeLessThan(320);
	});

	it('can be awaited in the middle of the loop', async () => {
		const generation = model.generate(prompt, {...greedy, maxTokens: 300});
		const texts: string[] = [];
		for await (const {text} of generation) {
			if (texts.length === 0) expect((await generation.result).completionTokens).toBe(300);
			texts.push(text);
		}
		expect(texts.join('')).toBe(await generation.text());
	});

	it('gives its first chunk before the last is made', async () => {
		const started = performance.now();
		const generation = model.generate(prompt, {...greedy, maxTokens: 400});
		let first = 0;
		for await (const _ of generation) first ||= performance.now() - started;
		expect(first).toBeLessThan((performance.now() - started) / 2);
	});
});

describe('a signal', () => {
	const reason = {mine: true};

	it('that has aborted before ends the call before it begins', async () => {
		const signal = AbortSignal.abort(reason);
		expect(await caught(model.complete(prompt, {signal}))).toBe(reason);
		expect(await caught(model.generate(prompt, {signal}).text())).toBe(reason);
		expect(await caught(model.score(prompt, {signal}))).toBe(reason);
		expect(await caught(model.logits(prompt, {signal}))).toBe(reason);
		expect(await caught(isolated({signal}))).toBe(reason);
	});

	it.each(['complete', 'score', 'logits'] as const)('that aborts ends %s()', async call => {
		const controller = new AbortController();
		const running = caught(model[call](ids(500), {signal: controller.signal}));
		setImmediate(() => controller.abort(reason));
		expect(await running).toBe(reason);
		expect((await model.complete(prompt, {...greedy, maxTokens: 1})).completionTokens).toBe(1);
	});

	it('that aborts in the loop ends the stream', async () => {
		const controller = new AbortController();
		const generation = model.generate(prompt, {...greedy, maxTokens: 400, signal: controller.signal});
		const read = async () => {
			for await (const _ of generation) controller.abort(reason);
		};
		expect(await caught(read())).toBe(reason);
		expect(await caught(generation.result)).toBe(reason);
	});

	it('ends a stream whose reader has stopped reading', async () => {
		for (const maxTokens of [50, 400]) {
			const controller = new AbortController();
			const generation = model.generate(prompt, {...greedy, maxTokens, signal: controller.signal});
			const reader = generation[Symbol.asyncIterator]();
			await reader.next();
			await sleep(100);
			controller.abort(reason);
			expect(await caught(generation.result)).toBe(reason);
			await caught(reader.return());
		}
	});

	it('that aborts afterwards changes nothing', async () => {
		const controller = new AbortController();
		const generation = model.generate(prompt, {...greedy, maxTokens: 5, signal: controller.signal});
		const text = await generation.text();
		controller.abort(reason);
		expect(await generation.text()).toBe(text);
	});

	it.each([0, 20, 50, 80, 110, 140])('ends a load after %i ms', async ms => {
		const controller = new AbortController();
		setTimeout(() => controller.abort(reason), ms);
		const outcome = await isolated({signal: controller.signal}).catch((error: unknown) => error);
		if (outcome !== reason) await (outcome as Model).dispose();
		expect(children()).toHaveLength(1);
	});
});

describe('loading', () => {
	it('reports bytes up to the last', async () => {
		const reports: LoadProgress[] = [];
		await using _ = await isolated({onProgress: report => reports.push(report)});
		const expected: LoadProgress[] = [];
		await using _here = await loadModel(directory, {device: 'cpu', onProgress: report => expected.push(report)});
		expect(reports).toEqual(expected);
	});

	it('ends when the listener throws or aborts', async () => {
		const error = new Error('mine');
		const onProgress = () => {
			throw error;
		};
		expect(await caught(isolated({onProgress}))).toBe(error);
		const controller = new AbortController();
		const abort = () => controller.abort(error);
		expect(await caught(isolated({onProgress: abort, signal: controller.signal}))).toBe(error);
		expect(children()).toHaveLength(1);
	});
});

describe('an error', () => {
	it('is the one of a model in this process', async () => {
		const calls: ((m: Model) => Promise<unknown>)[] = [
			async m => m.complete(ids(513)),
			async m => m.generate(ids(513)).text(),
			async m => m.score(ids(513)),
			async m => m.score([1]),
			async m => m.logits(ids(513)),
			async m => m.complete([-1]),
			async m => m.complete([]),
			async m => m.complete(7 as unknown as string),
			async m => m.complete(prompt, {temperature: -1}),
			async m => m.complete(prompt, {max_tokens: 1} as object),
			async m => m.chat([{role: 'user', content: 'Hi'}]).text(),
		];
		for (const call of calls) {
			const expected = (await caught(call(local))) as Error & {code: string; op?: string};
			const {code, message, op} = expected;
			expect(await caught(call(model))).toMatchObject({name: 'ExlError', code, message, ...(op && {op})});
		}
		for (const wrong of [null, 7] as unknown[])
			await expect(model.generate(prompt, wrong as object).text()).rejects.toThrow('must be an object');
	});

	it('of the child keeps its code, its place and its cause', async () => {
		const copy = await temporaryDirectory();
		await cp(directory, copy, {recursive: true});
		for (const name of ['output.safetensors', 'tokenizer.json', 'config.json']) {
			await rm(join(copy, name));
			const expected = (await caught(loadModel(copy, {device: 'cpu'}))) as Error;
			const error = (await caught(isolated({}, copy))) as Error;
			expect({...error, message: error.message}).toEqual({...expected, message: expected.message});
			expect(error.cause).toEqual(expected.cause);
		}
		expect(await caught(isolated({device: 'cuda:7'}))).toMatchObject({code: 'EXL_DEVICE_UNAVAILABLE'});
		expect(await caught(isolated({}, '/nowhere'))).toMatchObject({code: 'EXL_MODEL_NOT_FOUND'});
		expect(await caught(isolated({isolation: 'thread' as 'process'}))).toMatchObject({op: 'isolation'});
		expect(children()).toHaveLength(1);
	});

	it('that nobody awaits does not bring the process down', async () => {
		void model.complete(ids(513));
		void model.score(ids(513));
		void model.generate(prompt, {signal: AbortSignal.abort()}).result;
		model.generate(ids(513));
		await sleep(50);
		expect(unhandled).toEqual([]);
	});
});
