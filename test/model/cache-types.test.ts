import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {beforeAll, describe, expect, it, test} from 'vitest';
import {KvCache, ops, Tensor} from '../../lib/eager/index.js';
import {liveBuffers} from '../../lib/memory/index.js';
import {loadModel} from '../../lib/model/index.js';
import {type CacheTypeName, cacheTypes} from '../../lib/options/index.js';
import {normal} from '../conformance/inputs.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld} from '../support/memory.js';
import {tinyModel, writeTinyModel} from '../support/tiny-model.js';

const directory = join(modelsDirectory, 'tinystories-656k');
const text = readFileSync(join(__dirname, '../data/wikitext2.txt'), 'utf8');

/** Mean negative log-likelihood over windows as long as the context. */
async function nll(type: CacheTypeName, {windows = 1, length = 512, device = 'cpu'} = {}): Promise<number> {
	await using model = await loadModel(directory, {cache: {type}, device: device as 'cpu'});
	const ids = model.tokenizer.encode(text);
	let sum = 0;
	for (let window = 0; window < windows; window++)
		sum += (await model.score(ids.slice(window * length, (window + 1) * length))).meanNll;
	return sum / windows;
}

describe('what a smaller cache costs', () => {
	// In percent of what fp16 has. `node-exllama perplexity --cache-type` measures more windows.
	const allowed = {q8: 0.1, q6: 0.5, q4: 2, fp8: 2} as const;

	const windows = 8;
	let exact: number;
	beforeAll(async () => {
		exact = await nll('fp16', {windows});
	});

	it.each(Object.entries(allowed))('%s: the likelihood of wikitext within %s %%', async (type, percent) => {
		const found = await nll(type as CacheTypeName, {windows});
		expect(found).not.toBe(exact);
		expect(Math.abs(found / exact - 1) * 100).toBeLessThan(percent);
	});

	it.each(Object.keys(allowed))('%s: the same as on the oracle', async type => {
		const [cpu, reference] = await Promise.all(
			['cpu', 'reference'].map(device => nll(type as CacheTypeName, {device, length: 64})),
		);
		// Codes are the same but where a tie rounds differently: fp16 is as close.
		expect(Math.abs(cpu! / reference! - 1)).toBeLessThan(1e-3);
	});
});

test.each(cacheTypes)('text with a %s cache does not depend on threads', async type => {
	const texts = [];
	for (const threads of [1, 2]) {
		await using model = await loadModel(directory, {cache: {type}, threads});
		texts.push((await model.complete('Once upon a time', {maxTokens: 100, temperature: 0})).tokenIds);
	}
	expect(texts[0]).toEqual(texts[1]);
	expectNothingHeld();
});

test('a head that cannot be cut into groups is refused before weights are read', async () => {
	const odd = await writeTinyModel(tinyModel({headDim: 20}));
	const message = 'a q4 cache needs heads of a multiple of 8 elements, these have 20; use fp16 or fp8';
	const phases: string[] = [];
	const loading = loadModel(odd, {cache: {type: 'q4'}, onProgress: ({phase}) => phases.push(phase)});
	await expect(loading).rejects.toMatchObject({code: 'EXL_INVALID_ARGUMENT', message});
	expect(phases).toEqual([]);
	expectNothingHeld();

	await using model = await loadModel(odd, {cache: {type: 'fp8'}});
	expect((await model.complete([1, 2, 3], {maxTokens: 4, temperature: 0})).tokenIds).toHaveLength(4);
});

describe('KvCache', () => {
	// Of 2 heads of 64 elements, keys and values.
	const bytes = {fp16: 512, fp8: 256, q8: 256 + 16, q6: 128 + 64 + 16, q4: 128 + 16} as const;

	it('stores what it is told to, as it is told to', async () => {
		const results = new Set<string>();
		for (const type of cacheTypes) {
			using cache = new KvCache({tokens: 300, keyHeads: 2, headDim: 64, type});
			expect([cache.type, cache.capacity]).toEqual([type, 512]);
			const held = liveBuffers().filter(({kind}) => kind === 'cache');
			expect(held.reduce((sum, buffer) => sum + buffer.bytes, 0)).toBe(bytes[type] * 512);

			const tensor = (shape: number[], seed: number) => Tensor.from(normal(shape, seed).values, shape);
			using k = tensor([300, 2, 64], 1);
			using v = tensor([300, 2, 64], 2);
			using q = tensor([1, 4, 64], 3);
			await cache.append(k, v);
			using y = await ops.attention(q, cache);
			results.add(String(await y.read()));
		}
		expect(results.size).toBe(cacheTypes.length);
	});

	it('of no type', () => {
		const make = () => new KvCache({tokens: 1, keyHeads: 1, headDim: 8, type: 'q5' as 'q4'});
		const message = 'there is no cache type q5; use fp16, fp8, q8, q6 or q4';
		expect(make).toThrow(expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message}));
		expectNothingHeld();
	});
});
