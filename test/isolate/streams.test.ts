import {EventEmitter} from 'node:events';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {ErrorCode} from '../../lib/errors/index.js';
import type {Generation} from '../../lib/generator/index.js';
import {loadModel, type Model} from '../../lib/isolate/index.js';
import type {Isolation} from '../../lib/options/index.js';
import {caught, directory, greedy, prompt, sleep} from './support.js';

// A call that returns a stream never throws, whatever it is given: the error is the same one wherever it is looked for.

const unhandled: unknown[] = [];
const note = (error: unknown) => unhandled.push(error);
process.on('unhandledRejection', note);
afterAll(() => process.off('unhandledRejection', note));

const hello = [{role: 'user', content: 'Hi'}];
const reason = new Error('mine');
const explosive = {
	get temperature(): number {
		throw reason;
	},
};

type Wrong = readonly [what: string, code: ErrorCode | undefined, (model: Model) => Generation];
const wrong: readonly Wrong[] = [
	['a value out of range', 'EXL_INVALID_ARGUMENT', m => m.generate(prompt, {maxTokens: 0})],
	['an unknown option', 'EXL_INVALID_ARGUMENT', m => m.generate(prompt, {temprature: 1} as object)],
	['options that are none', 'EXL_INVALID_ARGUMENT', m => m.generate(prompt, null as unknown as object)],
	['options that throw', undefined, m => m.generate(prompt, explosive)],
	['no prompt', 'EXL_INVALID_ARGUMENT', m => m.generate(undefined as unknown as string)],
	['an empty prompt', 'EXL_INVALID_ARGUMENT', m => m.generate([])],
	['an id of no token', 'EXL_INVALID_ARGUMENT', m => m.generate([1, -1])],
	['a prompt that is too long', 'EXL_CONTEXT_LENGTH', m => m.generate(new Array(600).fill(5))],
	['a draft without a draft model', 'EXL_INVALID_ARGUMENT', m => m.generate(prompt, {speculative: 'draft'})],
	['a filter nobody can spell', 'EXL_INVALID_ARGUMENT', m => m.generate(prompt, {filters: [{select: ['漢字']}]})],
	['a biased token that is none', 'EXL_INVALID_ARGUMENT', m => m.generate(prompt, {logitBias: {99999: 1}})],
	['a stop token that is none', 'EXL_INVALID_ARGUMENT', m => m.generate(prompt, {stop: 99_999})],
	['an aborted signal', undefined, m => m.generate(prompt, {signal: AbortSignal.abort(reason)})],
	['a chat of a wrong option', 'EXL_INVALID_ARGUMENT', m => m.chat(hello, {maxTokens: 0})],
	['a chat of nothing', 'EXL_INVALID_ARGUMENT', m => m.chat(undefined as unknown as [])],
	['a chat of no messages', 'EXL_INVALID_ARGUMENT', m => m.chat([])],
	['a chat without a template', 'EXL_MODEL_UNSUPPORTED', m => m.chat(hello)],
];

const loop = async (stream: Generation) => {
	for await (const _ of stream);
};

const ways: Readonly<Record<string, (stream: Generation) => readonly Promise<unknown>[]>> = {
	result: stream => [stream.result],
	'text()': stream => [stream.text()],
	'a loop': stream => [loop(stream)],
	'all of them': stream => [loop(stream), stream.text(), stream.result],
	'all of them, the result first': stream => [stream.result, stream.text(), loop(stream)],
	'one after another': stream => {
		const first = caught(loop(stream));
		return [first.then(() => stream.result), first.then(() => stream.text()), first.then(() => loop(stream))];
	},
};

describe.each(['none', 'process'] as Isolation[])('with isolation %s', isolation => {
	let model: Model;
	let gone: Model;

	beforeAll(async () => {
		const options = {device: 'cpu', threads: 1, isolation} as const;
		[model, gone] = await Promise.all([loadModel(directory, options), loadModel(directory, options)]);
		await gone.dispose();
	});
	afterAll(async () => {
		await model.dispose();
		await sleep(20);
		expect(unhandled).toEqual([]);
	});

	test.each(wrong)('%s', async (_, code, call) => {
		for (const [name, way] of Object.entries(ways)) {
			const errors = await Promise.all(way(call(model)).map(caught));
			if (code === undefined) expect(errors[0], name).toBe(reason);
			else expect(errors[0], name).toMatchObject({name: 'ExlError', code});
			for (const error of errors) expect(error, name).toBe(errors[0]);
		}
		call(model);
		expect((await model.complete(prompt, {...greedy, maxTokens: 1})).completionTokens).toBe(1);
	});

	test('a model that is gone', async () => {
		for (const way of Object.values(ways)) {
			for (const stream of [gone.generate(prompt), gone.chat(hello)]) {
				for (const error of await Promise.all(way(stream).map(caught))) {
					expect(error).toMatchObject({code: 'EXL_DISPOSED'});
				}
			}
		}
	});

	test('calls that return a promise never throw either', async () => {
		const calls: ((m: Model) => Promise<unknown>)[] = [
			m => m.complete(prompt, {maxTokens: 0}),
			m => m.score(prompt, null as unknown as object),
			m => m.logits(prompt, {sigal: 1} as object),
			m => m.score(7 as unknown as string),
		];
		for (const call of calls) expect(await caught(call(model))).toMatchObject({code: 'EXL_INVALID_ARGUMENT'});
		for (const call of calls) expect(await caught(call(gone))).toMatchObject({code: 'EXL_DISPOSED'});
		const error = await caught(model.dispose.call({} as Model));
		expect(error).toMatchObject({code: 'EXL_INVALID_ARGUMENT'});
	});

	test('a signal that can do no more than the oldest ones', async () => {
		class OldSignal extends EventEmitter {
			aborted = false;
			addEventListener = this.on;
			removeEventListener = this.off;
			abort() {
				this.aborted = true;
				this.emit('abort');
			}
		}
		const late = new OldSignal();
		const stream = model.generate(prompt, {...greedy, signal: late as unknown as AbortSignal});
		let chunks = 0;
		const read = async () => {
			for await (const _ of stream) if (++chunks === 3) late.abort();
		};
		expect(await caught(read())).toMatchObject({code: 'EXL_ABORTED'});
		expect(await caught(stream.result)).toMatchObject({code: 'EXL_ABORTED'});
		const again = {signal: late as unknown as AbortSignal};
		expect(await caught(model.generate(prompt, again).text())).toMatchObject({code: 'EXL_ABORTED'});
		expect(await caught(model.score(prompt, again))).toMatchObject({code: 'EXL_ABORTED'});
	});
});
