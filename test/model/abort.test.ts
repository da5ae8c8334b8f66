import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import {loadModel, type Model} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

const directory = join(modelsDirectory, 'tinystories-656k');
const greedy = {temperature: 0, repetitionPenalty: 1} as const;
const prompt = 'Once upon a time';
const long = Array.from({length: 500}, (_, i) => 3 + (i % 200));

keepDevicesOpen();

let model: Model;
let expected: string;
beforeAll(async () => {
	model = await loadModel(directory, {device: 'cpu', threads: 2});
	expected = (await model.complete(prompt, {...greedy, maxTokens: 20})).text;
});
afterAll(async () => {
	await model.dispose();
	expectNothingHeld();
});
// Whatever was aborted, the next job is as if nothing had been.
afterEach(async () => {
	expect((await model.complete(prompt, {...greedy, maxTokens: 20})).text).toBe(expected);
});

/** Promises that were rejected with nobody listening. */
const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
	unhandled.length = 0;
	process.on('unhandledRejection', note);
});
afterEach(async () => {
	await new Promise(resolve => setTimeout(resolve, 5));
	process.off('unhandledRejection', note);
	expect(unhandled).toEqual([]);
});

const reason = new Error('enough');
const aborted = () => {
	const controller = new AbortController();
	controller.abort(reason);
	return controller.signal;
};
const caught = (promise: Promise<unknown>) =>
	promise.then(
		() => 'no error',
		(error: unknown) => error,
	);

describe('a signal', () => {
	it('that has aborted before ends the call before it begins', async () => {
		const options = {...greedy, signal: aborted()};
		expect(await caught(model.complete(prompt, options))).toBe(reason);
		expect(await caught(model.generate(prompt, options).text())).toBe(reason);
		expect(await caught(model.chat([{role: 'user', content: 'Hi'}], options).text())).not.toBe('no error');
		expect(await caught(model.score(prompt, {signal: aborted()}))).toBe(reason);
		expect(await caught(model.logits(prompt, {signal: aborted()}))).toBe(reason);
		expect(await caught(loadModel(directory, {signal: aborted()}))).toBe(reason);
	});

	it.each(['complete', 'score', 'logits'] as const)('that aborts while a prompt is read ends %s()', async call => {
		const controller = new AbortController();
		const {signal} = controller;
		const running = caught(model[call](long, {signal}));
		setImmediate(() => controller.abort(reason));
		expect(await running).toBe(reason);
	});

	it.each([1, 5])('that aborts after %i chunks ends the stream', async count => {
		const controller = new AbortController();
		const generation = model.generate(prompt, {...greedy, maxTokens: 200, signal: controller.signal});
		const texts: string[] = [];
		const read = async () => {
			for await (const {text} of generation) {
				texts.push(text);
				if (texts.length === count) controller.abort(reason);
			}
		};
		expect(await caught(read())).toBe(reason);
		expect(await caught(generation.result)).toBe(reason);
		expect(expected).toContain(texts.slice(0, count).join(''));
		expect(texts.length).toBeLessThan(100);
	});

	it('ends a stream whose reader has stopped reading', async () => {
		const controller = new AbortController();
		const generation = model.generate(prompt, {...greedy, maxTokens: 300, signal: controller.signal});
		const reader = generation[Symbol.asyncIterator]();
		await reader.next();
		// Enough time to fill the reader's queue.
		await new Promise(resolve => setTimeout(resolve, 200));
		controller.abort(reason);
		expect(await caught(generation.result)).toBe(reason);
		await caught(reader.return());
	});

	it('ends a job that waits behind another, which goes on', async () => {
		const controller = new AbortController();
		const first = model.complete(prompt, {...greedy, maxTokens: 60});
		const second = caught(model.complete(prompt, {...greedy, signal: controller.signal}));
		const third = model.complete(prompt, {...greedy, maxTokens: 20});
		let isFirstDone = false;
		void first.then(() => {
			isFirstDone = true;
		});
		await new Promise(resolve => setImmediate(resolve));
		controller.abort(reason);
		expect(await second).toBe(reason);
		expect(isFirstDone).toBe(false);
		expect((await first).completionTokens).toBe(60);
		expect((await third).text).toBe(expected);
	});

	it('gives its own reason without one', async () => {
		const controller = new AbortController();
		controller.abort();
		const error = await caught(model.complete(prompt, {signal: controller.signal}));
		expect(error).toMatchObject({name: 'AbortError'});
		const late = await caught(model.complete(prompt, {...greedy, signal: AbortSignal.timeout(1)}));
		expect(late).toMatchObject({name: 'TimeoutError'});
	});

	it('that aborts afterwards changes nothing', async () => {
		const controller = new AbortController();
		const generation = model.generate(prompt, {...greedy, maxTokens: 20, signal: controller.signal});
		expect(await generation.text()).toBe(expected);
		controller.abort(reason);
		expect(await generation.text()).toBe(expected);
	});
});

describe('an answer that nobody awaits', () => {
	it('does not bring the process down when it fails', async () => {
		void model.generate(prompt, {signal: aborted()}).result;
		void model.generate(Array(1000).fill(3)).result;
		// Never asked for, so it never begins.
		model.generate(Array(1000).fill(3));
		await new Promise(resolve => setTimeout(resolve, 20));
		expect(unhandled).toEqual([]);
	});

	it('fails for its reader only once', async () => {
		const generation = model.generate(Array(1000).fill(3));
		const read = async () => {
			for await (const _ of generation);
		};
		expect(await caught(read())).toMatchObject({code: 'EXL_CONTEXT_LENGTH'});
		expect(await caught(read())).toMatchObject({code: 'EXL_CONTEXT_LENGTH'});
	});
});
