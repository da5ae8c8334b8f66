import {once} from 'node:events';
import {join} from 'node:path';
import {Worker} from 'node:worker_threads';
import {expect, it} from 'vitest';
import {liveBuffers} from '../../lib/memory/index.js';
import {loadModel} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

// Workers cannot load TypeScript, so they take what was built.

const directory = join(modelsDirectory, 'tinystories-656k-exl2');
const options = {temperature: 0, repetitionPenalty: 1, maxTokens: 100} as const;
const prompt = 'Once upon a time';

const code = `
	const {parentPort, workerData} = require('node:worker_threads');
	const {loadModel, memory, Tensor} = require(${JSON.stringify(join(modelsDirectory, '../dist/index.js'))});
	(async () => {
		for (let round = 0; round < 3 || workerData.endless; round++) {
			const model = await loadModel(${JSON.stringify(directory)}, {device: 'cpu', threads: 2});
			let text = '';
			for await (const chunk of model.generate(${JSON.stringify(prompt)}, ${JSON.stringify(options)})) {
				text += chunk.text;
				if (workerData.endless) parentPort.postMessage('generating');
			}
			const held = memory.snapshot().devices.cpu.buffers > 0;
			// Keeps the device open: nothing can be seen of one that has closed.
			const witness = Tensor.zeros([1]);
			await model.dispose();
			const {allocated, buffers} = memory.snapshot().devices.cpu;
			witness.dispose();
			if (!workerData.endless) parentPort.postMessage({text, held, left: [allocated, buffers]});
		}
	})();
`;

keepDevicesOpen();

/** Runs to its end; what it said after each round. */
async function run(): Promise<unknown[]> {
	const worker = new Worker(code, {eval: true, workerData: {endless: false}});
	const said: unknown[] = [];
	worker.on('message', message => said.push(message));
	expect(await once(worker, 'exit')).toEqual([0]);
	return said;
}

/** Is ended while it generates, some chunks in. */
async function interrupt(chunks: number): Promise<void> {
	const worker = new Worker(code, {eval: true, workerData: {endless: true}});
	for (let i = 0; i < chunks; i++) await once(worker, 'message');
	expect(await worker.terminate()).toBe(1);
}

it('eight workers load, generate and dispose, some are ended, and this thread does not notice', async () => {
	const model = await loadModel(directory, {device: 'cpu', threads: 2});
	const held = liveBuffers().map(({id}) => id);
	const expected = await model.generate(prompt, options).text();
	const interrupted = async (chunks: number) => {
		for (let i = 0; i < 4; i++) await interrupt(chunks + 7 * i);
	};
	let isDone = false;
	const workers = Promise.all([run(), interrupted(1), run(), interrupted(3), run(), interrupted(20), run(), run()]);
	const done = workers.finally(() => {
		isDone = true;
	});
	while (!isDone) expect(await model.generate(prompt, options).text()).toBe(expected);

	const answer = {text: expected, held: true, left: [4, 1]};
	for (const said of await done) if (said) expect(said).toEqual([answer, answer, answer]);
	expect(liveBuffers().map(({id}) => id)).toEqual(held);
	await model.dispose();
	expectNothingHeld();
});
