import {join} from 'node:path';
import {afterEach, describe, expect, it} from 'vitest';
import {liveBuffers, snapshot} from '../../lib/memory/index.js';
import {loadModel, type Model} from '../../lib/model/index.js';
import type {LoadProgress} from '../../lib/options/index.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

const directory = join(modelsDirectory, 'tinystories-656k-gptq');
const greedy = {temperature: 0, repetitionPenalty: 1} as const;
const prompt = 'Once upon a time';
const disposed = expect.objectContaining({code: 'EXL_DISPOSED'});

const load = (device: 'cpu' | 'reference' = 'cpu', name = 'tinystories-656k-gptq') =>
	loadModel(join(modelsDirectory, name), {device, threads: 2});

keepDevicesOpen();
afterEach(expectNothingHeld);

/** Expects the totals of a device to be the sums of its buffers. */
function expectExactTotals(device: string): void {
	const totals = snapshot().devices[device]!;
	const buffers = liveBuffers().filter(buffer => buffer.device === device);
	const sum = (kind?: string) =>
		buffers.filter(buffer => kind === undefined || buffer.kind === kind).reduce((total, {bytes}) => total + bytes, 0);
	const byKind = {
		weights: sum('weights'),
		cache: sum('cache'),
		activations: sum('activations'),
		staging: sum('staging'),
	};
	expect(totals).toMatchObject({allocated: sum(), buffers: buffers.length, byKind});
	expect(totals.reserved).toBeGreaterThanOrEqual(totals.allocated);
	expect(totals.peak).toBeGreaterThanOrEqual(totals.allocated);
}

describe.each(['cpu', 'reference'] as const)('memory on %s', device => {
	it('is the sum of what is listed, and names its owners', async () => {
		const model = await load(device);
		expectExactTotals(device);
		const before = liveBuffers();
		expect(before.find(({label}) => label === 'model.layers.0.mlp.gate_proj')).toMatchObject({kind: 'weights', device});
		expect(before.every(({owner}) => /^model#\d+/.test(owner))).toBe(true);
		const bytesPerElement = device === 'cpu' ? 2 : 8;
		const cache = before.filter(({kind}) => kind === 'cache').reduce((sum, {bytes}) => sum + bytes, 0);
		expect(cache).toBe(2 * 2 * model.cacheTokens * 4 * 16 * bytesPerElement);

		await model.complete(prompt, {...greedy, maxTokens: 3});
		expect(liveBuffers().map(({id}) => id)).toEqual(before.map(({id}) => id));
		// A second program has memory of its own and shares everything else.
		await model.score([1, 80, 3]);
		expect(liveBuffers().filter(({kind}) => kind === 'weights')).toHaveLength(
			before.filter(({kind}) => kind === 'weights').length,
		);
		expectExactTotals(device);
		await model.dispose();
	});

	it('of two models is told apart, and goes with each', async () => {
		const [a, b] = await Promise.all([load(device), load(device)]);
		expectExactTotals(device);
		const owners = () => new Set(liveBuffers().map(({owner}) => owner.split(' ')[0]));
		expect(owners().size).toBe(2);
		await a.dispose();
		expect(owners().size).toBe(1);
		expectExactTotals(device);
		expect((await b.complete(prompt, {...greedy, maxTokens: 3})).completionTokens).toBe(3);
		await b.dispose();
	});
});

describe('dispose()', () => {
	it('may be called again, and twice at once', async () => {
		const model = await load();
		await Promise.all([model.dispose(), model.dispose()]);
		await model.dispose();
		await model[Symbol.asyncDispose]();
	});

	it('comes with the end of a block', async () => {
		let kept: Model;
		{
			await using model = await load();
			kept = model;
			expect(liveBuffers()).not.toEqual([]);
		}
		expectNothingHeld();
		await expect(kept.generate(prompt).result).rejects.toEqual(disposed);
	});

	it('makes every later call fail', async () => {
		const model = await load();
		const before = model.generate(prompt);
		await model.dispose();
		for (const call of ['complete', 'score', 'logits'] as const) {
			await expect(model[call](prompt), call).rejects.toEqual(disposed);
		}
		await expect(model.generate(prompt).result).rejects.toEqual(disposed);
		await expect(model.chat([{role: 'user', content: 'Hi'}]).text()).rejects.toEqual(disposed);
		await expect(before.result).rejects.toEqual(disposed);
		expect(model.tokenizer.decode(model.tokenizer.encode(prompt))).toBe(prompt);
	});

	it('ends what is running and what waits behind it', async () => {
		const model = await load();
		const started = model.generate(prompt, {...greedy, maxTokens: 400});
		const reader = started[Symbol.asyncIterator]();
		await reader.next();
		const outcomes = Promise.allSettled([
			started.result,
			model.complete(prompt, greedy),
			model.score(Array(500).fill(5)),
			model.logits(Array(500).fill(5)),
			model.generate(prompt).text(),
		]);
		await model.dispose();
		expectNothingHeld();
		for (const outcome of await outcomes) expect(outcome).toEqual({status: 'rejected', reason: disposed});
	});

	it('ends a score that is running', async () => {
		const model = await load('reference', 'stories260k-hf');
		const scoring = model.score(Array(500).fill(5)).catch((error: unknown) => error);
		await new Promise(resolve => setTimeout(resolve, 50));
		await model.dispose();
		expect(await scoring).toEqual(disposed);
	});

	it('does not wait for a reader that has stopped reading', async () => {
		const model = await load();
		const reader = model.generate(prompt, {...greedy, maxTokens: 300})[Symbol.asyncIterator]();
		await reader.next();
		await new Promise(resolve => setTimeout(resolve, 200));
		await model.dispose();
		expectNothingHeld();
		await reader.return().catch(() => {});
	});

	it('may come from inside the loop', async () => {
		const model = await load();
		const read = async () => {
			for await (const _ of model.generate(prompt, {...greedy, maxTokens: 300})) await model.dispose();
		};
		await expect(read()).rejects.toEqual(disposed);
	});
});

describe('loading', () => {
	it('reports bytes up to the last', async () => {
		const reports: LoadProgress[] = [];
		await using model = await loadModel(directory, {device: 'cpu', onProgress: report => reports.push(report)});
		expect(model.architecture).toBe('LlamaForCausalLM');
		const {total} = reports[0]!;
		expect(reports.at(-1)).toEqual({phase: 'weights', loaded: total, total});
		for (const [i, {loaded}] of reports.entries()) expect(loaded).toBeGreaterThan(reports[i - 1]?.loaded ?? -1);
	});

	it.each([0, 1, 7, 15])('gives everything back when it is aborted at report %i', async at => {
		const controller = new AbortController();
		const reason = new Error(`report ${at}`);
		let reports = 0;
		const onProgress = () => {
			if (reports++ === at) controller.abort(reason);
		};
		const loading = loadModel(directory, {device: 'cpu', signal: controller.signal, onProgress});
		await expect(loading).rejects.toBe(reason);
		expectNothingHeld();
	});

	it.each([0, 1, 2, 4, 8, 16, 32])('gives everything back when it is aborted after %i ms', async ms => {
		const controller = new AbortController();
		const loading = loadModel(directory, {device: 'cpu', signal: controller.signal});
		const reason = new Error('too late');
		setTimeout(() => controller.abort(reason), ms);
		const outcome = await loading.catch((error: unknown) => error);
		if (outcome !== reason) await (outcome as Model).dispose();
	});

	it('gives everything back when the listener throws', async () => {
		const onProgress = () => {
			throw new Error('mine');
		};
		await expect(loadModel(directory, {device: 'cpu', onProgress})).rejects.toThrow('mine');
	});

	it('of many models at once leaves nothing behind', async () => {
		const names = ['stories260k-hf', 'tinystories-656k', 'tinystories-656k-exl2', 'tinystories-656k-gptq'];
		const models = await Promise.all([...names, ...names].map(name => load('cpu', name)));
		const texts = await Promise.all(models.map(m => m.generate(prompt, {...greedy, maxTokens: 8}).text()));
		expect(texts.slice(0, 4)).toEqual(texts.slice(4));
		await Promise.all(models.map(m => m.dispose()));
	});
});
