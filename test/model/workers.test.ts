import {once} from 'node:events';
import {join} from 'node:path';
import {Worker} from 'node:worker_threads';
import {afterAll, beforeAll, expect, it} from 'vitest';
import {loadModel, type Model} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld} from '../support/memory.js';

// Workers cannot load TypeScript, so they take what was built.

const directory = join(modelsDirectory, 'tinystories-656k');
const options = {temperature: 0, repetitionPenalty: 1, maxTokens: 200} as const;
const prompt = 'Once upon a time';

const setUp = `
	const {parentPort} = require('node:worker_threads');
	const {loadModel, memory} = require(${JSON.stringify(join(modelsDirectory, '../dist/index.js'))});
	const load = device => loadModel(${JSON.stringify(directory)}, {device, threads: 2});
	const generate = model => model.generate(${JSON.stringify(prompt)}, ${JSON.stringify(options)});
`;

/** Runs until the worker says so, then leaves it running. */
const endless = `
	${setUp}
	(async () => {
		const model = await load('cpu');
		for (;;) for await (const chunk of generate(model)) parentPort.postMessage(chunk.text);
	})();
`;

let model: Model;
let expected: string;
beforeAll(async () => {
	model = await loadModel(directory, {device: 'cpu', threads: 2});
	expected = await model.generate(prompt, options).text();
});
afterAll(async () => {
	await model.dispose();
	expectNothingHeld();
});

function start(code: string): Worker {
	return new Worker(code, {eval: true});
}

async function messageOf(worker: Worker): Promise<unknown> {
	const [message] = await once(worker, 'message');
	return message;
}

/** Text after text on this thread, until `done`; each must be right. */
async function generateUntil(done: Promise<unknown>): Promise<void> {
	let isDone = false;
	const ended = done.finally(() => {
		isDone = true;
	});
	while (!isDone) expect(await model.generate(prompt, options).text()).toBe(expected);
	await ended;
}

it('loads, generates and gives everything back on other threads, while this one generates', async () => {
	const code = `
		${setUp}
		(async () => {
			const model = await load('cpu');
			const text = await generate(model).text();
			const held = memory.snapshot().devices.cpu.allocated;
			await model.dispose();
			const left = memory.snapshot().devices.cpu.allocated;
			parentPort.postMessage({text, held: held > 0, left, buffers: memory.liveBuffers().length});
		})();
	`;
	const workers = [start(code), start(code)];
	const answers = Promise.all(workers.map(messageOf));
	const exits = Promise.all(workers.map(worker => once(worker, 'exit')));
	await generateUntil(Promise.all([answers, exits]));
	const answer = {text: expected, held: true, left: 0, buffers: 0};
	expect(await answers).toEqual([answer, answer]);
	// Nothing keeps a thread alive after dispose().
	expect(await exits).toEqual([[0], [0]]);
});

it('survives threads that are ended in the middle of a step', async () => {
	const terminate = async () => {
		const worker = start(endless);
		await messageOf(worker);
		await worker.terminate();
	};
	const terminateOften = async () => {
		for (let i = 0; i < 6; i++) await terminate();
	};
	await generateUntil(Promise.all([terminateOften(), terminateOften()]));
});

it('survives threads that are ended while they load', async () => {
	const code = `
		${setUp}
		parentPort.postMessage('loading');
		(async () => {
			for (;;) await (await load('cpu')).dispose();
		})();
	`;
	for (const wait of [0, 5, 10, 20, 40]) {
		const worker = start(code);
		await messageOf(worker);
		await new Promise(resolve => setTimeout(resolve, wait));
		await worker.terminate();
	}
	expect(await model.generate(prompt, options).text()).toBe(expected);
});

it.each(['cpu', 'reference'])('survives threads that exit without disposing on %s', async device => {
	const code = `
		${setUp}
		(async () => {
			const model = await load('${device}');
			for await (const chunk of generate(model)) {
				parentPort.postMessage(chunk.text);
				process.exit(7);
			}
		})();
	`;
	const worker = start(code);
	const exit = once(worker, 'exit');
	await generateUntil(exit);
	expect(await exit).toEqual([7]);
});

it('ends a thread that forgot to dispose, without work in flight', async () => {
	const code = `
		${setUp}
		(async () => {
			globalThis.kept = await load('cpu');
			parentPort.postMessage((await generate(kept).result).text);
		})();
	`;
	const worker = start(code);
	const [text, exit] = await Promise.all([messageOf(worker), once(worker, 'exit')]);
	expect(text).toBe(expected);
	expect(exit).toEqual([0]);
});
