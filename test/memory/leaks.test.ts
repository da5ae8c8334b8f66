import {spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {KvCache, QuantMatrix, Tensor} from '../../lib/eager/index.js';
import {liveBuffers} from '../../lib/memory/index.js';
import * as memory from '../../lib/memory/public.js';
import {loadModel} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

const directory = join(modelsDirectory, 'tinystories-656k-exl2');
const prompt = 'Once upon a time';
const greedy = {temperature: 0, repetitionPenalty: 1} as const;
const collect = globalThis.gc!;

keepDevicesOpen();

const reports: memory.LeakReport[] = [];
const note = (report: memory.LeakReport) => reports.push(report);
beforeEach(() => {
	reports.length = 0;
	memory.on('leak', note);
	memory.trackStacks(true);
});
afterEach(() => {
	memory.trackStacks(false);
	memory.off('leak', note);
	expectNothingHeld();
});

/** Collects until `done`, or until it is clear that it will not happen. */
async function collectUntil(done: () => boolean): Promise<void> {
	for (let i = 0; i < 50 && !done(); i++) {
		collect();
		await sleep(10);
	}
}

const load = () => loadModel(directory, {device: 'cpu', threads: 2, cache: {tokens: 512}});

const makers: Record<string, {name: RegExp; make: () => Promise<{dispose(): void | Promise<void>}>}> = {
	Model: {name: /^model#\d+$/, make: load},
	Tensor: {name: /^tensor#\d+$/, make: async () => Tensor.from([1, 2, 3], [3])},
	QuantMatrix: {name: /^matrix#\d+$/, make: () => QuantMatrix.load(directory, 'model.layers.0.mlp.gate_proj')},
	KvCache: {name: /^cache#\d+$/, make: async () => new KvCache({tokens: 300, keyHeads: 2, headDim: 16})},
};

describe.each(Object.entries(makers))('a %s', (kind, {name, make}) => {
	it('that is dropped is freed and reported', async () => {
		const drop = async () => {
			await make();
			return liveBuffers().reduce((sum, {bytes}) => sum + bytes, 0);
		};
		const bytes = await drop();
		expect(bytes).toBeGreaterThan(0);
		await collectUntil(() => liveBuffers().length === 0 && reports.length > 0);
		expectNothingHeld();
		expect(reports).toEqual([
			{kind, name: expect.stringMatching(name), bytes, stack: expect.stringContaining('leaks.test.ts')},
		]);
		// Where a stack begins is not ours.
		expect(reports[0]!.stack).not.toMatch(/lib\/memory/);
	});

	it('that is in use is not', async () => {
		const object = await make();
		const held = liveBuffers().length;
		for (let i = 0; i < 5; i++) {
			collect();
			await sleep(5);
		}
		expect(liveBuffers()).toHaveLength(held);
		for (const {stack} of liveBuffers()) expect(stack).toContain('leaks.test.ts');
		await object.dispose();
		expect(reports).toEqual([]);
	});

	it('that is disposed of is not reported', async () => {
		const use = async () => {
			const object = await make();
			await object.dispose();
			await object.dispose();
		};
		for (let i = 0; i < 3; i++) await use();
		await collectUntil(() => reports.length > 0);
		expect(reports).toEqual([]);
	});

	it('has no stack unless asked', async () => {
		memory.trackStacks(false);
		await (async () => {
			await make();
		})();
		await collectUntil(() => liveBuffers().length === 0 && reports.length > 0);
		expect(Object.keys(reports[0]!).sort()).toEqual(['bytes', 'kind', 'name']);
	});
});

describe('a generation', () => {
	it.each([1, 40])('that is abandoned after %i chunks goes with its model', async count => {
		const abandon = async () => {
			const model = await load();
			const reader = model.generate(prompt, {...greedy, maxTokens: 400})[Symbol.asyncIterator]();
			for (let i = 0; i < count; i++) await reader.next();
			await sleep(50);
		};
		await abandon();
		await collectUntil(() => liveBuffers().length === 0 && reports.length > 0);
		expect(reports.map(({kind}) => kind)).toEqual(['Model']);
	});

	it('that is abandoned with a signal goes with it', async () => {
		const abandon = async () => {
			const {signal} = new AbortController();
			const model = await load();
			const reader = model.generate(prompt, {...greedy, maxTokens: 400, signal})[Symbol.asyncIterator]();
			await reader.next();
			await sleep(50);
		};
		await abandon();
		await collectUntil(() => liveBuffers().length === 0 && reports.length > 0);
		expect(reports.map(({kind}) => kind)).toEqual(['Model']);
	});

	it('that was never started goes', async () => {
		const abandon = async () => {
			(await load()).generate(prompt);
		};
		await abandon();
		await collectUntil(() => liveBuffers().length === 0 && reports.length > 0);
		expect(reports.map(({kind}) => kind)).toEqual(['Model']);
	});

	it('that runs keeps its model alive', async () => {
		const read = async () => {
			const generation = await (async () => (await load()).generate(prompt, {...greedy, maxTokens: 100}))();
			let chunks = 0;
			for await (const _ of generation) {
				collect();
				await sleep(1);
				chunks++;
				expect(reports).toEqual([]);
			}
			return chunks;
		};
		expect(await read()).toBeGreaterThan(50);
		await collectUntil(() => liveBuffers().length === 0 && reports.length > 0);
		expect(reports).toHaveLength(1);
	});

	it('that only its result waits for keeps its model alive', async () => {
		const complete = async () => {
			const result = (async () => (await load()).complete(prompt, {...greedy, maxTokens: 100}))();
			let isDone = false;
			result.finally(() => {
				isDone = true;
			});
			while (!isDone) {
				collect();
				await sleep(1);
			}
			return (await result).completionTokens;
		};
		expect(await complete()).toBeGreaterThan(50);
		await collectUntil(() => liveBuffers().length === 0 && reports.length > 0);
		expect(reports).toHaveLength(1);
	});
});

it('leaks that nobody listens to are warnings, if they are large', async () => {
	memory.off('leak', note);
	const warnings: Error[] = [];
	const warn = (warning: Error) => warnings.push(warning);
	process.on('warning', warn);
	const drop = () => {
		Tensor.zeros([2 ** 18]);
		Tensor.zeros([2 ** 10]);
	};
	drop();
	await collectUntil(() => liveBuffers().length === 0 && warnings.length > 0);
	process.off('warning', warn);
	expect(warnings.map(({name}) => name)).toEqual(['ExlLeakWarning']);
	expect(warnings[0]!.message).toMatch(
		/^tensor#\d+ \(Tensor, 1048576 bytes\) was collected without dispose\(\); .*leaks\.test/s,
	);
});

it('a listener that throws does not keep the memory', () => {
	const code = `
		const {memory, Tensor} = require(${JSON.stringify(join(modelsDirectory, '../dist/index.js'))});
		const kept = Tensor.zeros([1]);
		memory.on('leak', () => {
			throw new Error('mine');
		});
		process.on('uncaughtException', ({message}) => {
			setImmediate(() => {
				console.log(message, memory.liveBuffers().length);
				kept.dispose();
			});
		});
		(() => void Tensor.zeros([1000]))();
		setImmediate(gc);
	`;
	const {stdout, stderr} = spawnSync(process.execPath, ['--expose-gc', '-e', code], {encoding: 'utf8'});
	expect({stdout, stderr}).toEqual({stdout: 'mine 1\n', stderr: ''});
});
