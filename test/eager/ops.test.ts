import {afterEach, describe, expect, it} from 'vitest';
import {KvCache, ops, Tensor} from '../../lib/eager/index.js';
import type {AttentionOptions} from '../../lib/ops/index.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

keepDevicesOpen();
afterEach(expectNothingHeld);

const invalid = {code: 'EXL_INVALID_ARGUMENT'};

describe.each(['cpu', 'reference'] as const)('on %s', device => {
	it('attention takes no option that it could not keep', async () => {
		using cache = new KvCache({tokens: 256, keyHeads: 1, headDim: 8, device});
		using x = Tensor.from(new Float32Array(16).fill(1), [2, 1, 8], {device});
		await cache.append(x, x);
		const {NaN: nan, POSITIVE_INFINITY: endless} = Number;
		const wrong: [object, RegExp][] = [
			...[endless, -endless, nan, 1e30, -1, 1.5, '2', null].map(
				window => [{window}, /^window must be a whole number from 0 to 2147483647; got /] as [object, RegExp],
			),
			...[nan, endless, '1'].map(scale => [{scale}, /^scale must be a number; got /] as [object, RegExp]),
			...[nan, endless, -1].map(
				softcap => [{softcap}, /^softcap must be a number of at least 0; got /] as [object, RegExp],
			),
			[{scale: 1e300}, /scale must be a number that a float can hold; got 1e\+300/],
			[{windw: 1}, /^ops\.attention\(\) has no option "windw"; did you mean "window"\?/],
		];
		for (const [options, message] of wrong) {
			const failing = ops.attention(x, cache, options as AttentionOptions);
			await expect(failing, JSON.stringify(options)).rejects.toMatchObject({
				...invalid,
				message: expect.stringMatching(message),
			});
		}
		using y = await ops.attention(x, cache, {window: 2 ** 31 - 1, softcap: 0});
		expect([...(await y.read())]).toEqual(Array(16).fill(1));
	});

	it('what fails to be appended takes nothing else with it', async () => {
		using cache = new KvCache({tokens: 256, keyHeads: 1, headDim: 8, device});
		using good = Tensor.from(new Float32Array(8).fill(1), [1, 1, 8], {device});
		using more = Tensor.from(new Float32Array(16).fill(2), [2, 1, 8], {device});
		using bad = Tensor.zeros([1, 1, 4], {device});
		using many = Tensor.zeros([255, 1, 8], {device});
		const tried = [bad, good, bad, many, more, bad].map(x => cache.append(x, x));
		const outcomes = await Promise.allSettled(tried);
		expect(outcomes.map(each => (each.status === 'rejected' ? each.reason.code : 'in'))).toEqual([
			...['EXL_SHAPE_MISMATCH', 'in', 'EXL_SHAPE_MISMATCH', 'in', 'EXL_CACHE_FULL', 'EXL_CACHE_FULL'],
		]);
		expect(cache.length).toBe(256);
	});
});

it('a cache takes tensors of its own device', async () => {
	using cache = new KvCache({tokens: 256, keyHeads: 1, headDim: 8});
	using x = Tensor.zeros([1, 1, 8], {device: 'reference'});
	await expect(cache.append(x, x)).rejects.toMatchObject(invalid);
	await expect(cache.append(undefined as never, x)).rejects.toMatchObject(invalid);
	expect(cache.length).toBe(0);
});
