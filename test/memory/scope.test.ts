import {join} from 'node:path';
import {afterEach, describe, expect, it} from 'vitest';
import {KvCache, QuantMatrix, Tensor} from '../../lib/eager/index.js';
import {liveBuffers} from '../../lib/memory/index.js';
import * as memory from '../../lib/memory/public.js';
import {loadModel} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

const directory = join(modelsDirectory, 'tinystories-656k-exl2');
const owners = () => [...new Set(liveBuffers().map(({owner}) => owner.split('#')[0]))].sort();
const tensor = () => Tensor.from([1, 2, 3], [3]);

keepDevicesOpen();
afterEach(expectNothingHeld);

describe('memory.scope()', () => {
	it('disposes of everything that was created inside', async () => {
		const result = await memory.scope(async () => {
			tensor();
			new KvCache({tokens: 1, keyHeads: 1, headDim: 8});
			await QuantMatrix.load(directory, 'model.layers.0.mlp.up_proj');
			await loadModel(directory, {device: 'cpu', cache: {tokens: 256}});
			expect(owners()).toEqual(['cache', 'matrix', 'model', 'tensor']);
			return 'result';
		});
		expect(result).toBe('result');
	});

	it('disposes of it when the work throws, in whichever way', async () => {
		const mine = new Error('mine');
		const later = memory.scope(async () => {
			await loadModel(directory, {device: 'cpu', cache: {tokens: 256}});
			throw mine;
		});
		await expect(later).rejects.toBe(mine);
		expectNothingHeld();
		const atOnce = memory.scope(() => {
			tensor();
			throw mine;
		});
		await expect(atOnce).rejects.toBe(mine);
	});

	it('ends a generation that still runs', async () => {
		const generation = await memory.scope(async () => {
			const model = await loadModel(directory, {device: 'cpu'});
			const generation = model.generate('Once upon a time', {temperature: 0, maxTokens: 400});
			await generation[Symbol.asyncIterator]().next();
			return generation;
		});
		expectNothingHeld();
		await expect(generation.result).rejects.toMatchObject({code: 'EXL_DISPOSED'});
	});

	it('nests: the innermost takes what is created', async () => {
		await memory.scope(async () => {
			tensor();
			await memory.scope(async () => {
				tensor();
				await Promise.all([memory.scope(tensor), memory.scope(tensor)]);
				tensor();
				expect(liveBuffers()).toHaveLength(3);
			});
			expect(liveBuffers()).toHaveLength(1);
		});
	});

	it('runs beside others without mixing', async () => {
		const one = (count: number) =>
			memory.scope(async () => {
				for (let i = 0; i < count; i++) {
					tensor();
					await new Promise(resolve => setImmediate(resolve));
				}
			});
		await Promise.all([one(3), one(20), one(7)]);
	});

	it('lets go of what is kept, and takes what is added', async () => {
		const outside = tensor();
		const kept = await memory.scope(scope => {
			scope.add(outside);
			scope.add(outside);
			return scope.keep(tensor());
		});
		expect(liveBuffers()).toHaveLength(1);
		await expect(outside.read()).rejects.toMatchObject({code: 'EXL_DISPOSED'});
		expect(await kept.read()).toEqual(Float32Array.of(1, 2, 3));
		kept.dispose();
	});

	it('does not mind what was disposed of before', async () => {
		await memory.scope(async () => {
			tensor().dispose();
			const model = await loadModel(directory, {device: 'cpu', cache: {tokens: 256}});
			await model.dispose();
		});
	});

	it('disposes in reverse order, of all, and fails with the first failure', async () => {
		const order: string[] = [];
		const object = (name: string, fails = false) => ({
			dispose: async () => {
				order.push(name);
				if (fails) throw new Error(name);
			},
		});
		const closing = memory.scope(scope => {
			for (const each of [object('a', true), object('b'), object('c', true), object('d')]) scope.add(each);
		});
		await expect(closing).rejects.toThrow('c');
		expect(order).toEqual(['d', 'c', 'b', 'a']);
	});

	it.each([undefined, null, 7, 'text', {}, {dispose: true}, Symbol('s')])('takes no %s', async junk => {
		const adding = memory.scope(scope => {
			tensor();
			scope.add(junk as unknown as Tensor);
		});
		await expect(adding).rejects.toMatchObject({code: 'EXL_INVALID_ARGUMENT'});
	});

	it('is over when it is over', async () => {
		const ended = await memory.scope(scope => scope);
		const late = tensor();
		expect(() => ended.add(late)).toThrow(expect.objectContaining({code: 'EXL_DISPOSED'}));
		expect(liveBuffers()).toHaveLength(1);
		late.dispose();
	});

	it.each([undefined, null, {}, 'work'])('needs work, not %s', async work => {
		await expect(memory.scope(work as never)).rejects.toMatchObject({code: 'EXL_INVALID_ARGUMENT'});
	});
});
