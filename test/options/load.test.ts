import {expect, test} from 'vitest';
import {resolveLoadOptions} from '../../lib/model/index.js';
import {parseLoadOptions} from '../../lib/options/load.js';
import {withEnvironment} from '../support/environment.js';

test('defaults', () => {
	expect(parseLoadOptions()).toEqual({
		device: 'auto',
		cache: {type: 'fp16'},
		maxBatch: 16,
		loader: 'direct',
		isolation: 'none',
	});
	expect(parseLoadOptions({cache: {tokens: 16}})).toEqual({
		device: 'auto',
		cache: {tokens: 16, type: 'fp16'},
		maxBatch: 16,
		loader: 'direct',
		isolation: 'none',
	});
});

test.each(['auto', 'cpu', 'reference', 'cuda', 'cuda:0', 'cuda:12'])('device %s', device => {
	expect(parseLoadOptions({device}).device).toBe(device);
});

test.each([
	[{device: 'gpu'}, `device must be 'auto', 'cpu', 'reference', 'cuda' or 'cuda:N'; got "gpu"`],
	[{device: 'cuda:x'}, expect.stringContaining('got "cuda:x"')],
	[{device: 'cuda:01'}, expect.stringContaining('got "cuda:01"')],
	[{threads: 257}, 'threads must be a whole number from 1 to 256; got 257'],
	[{cache: {tokens: 0}}, 'cache.tokens must be a whole number from 1 to 16777216; got 0'],
	[{cache: {type: 'q5'}}, `cache.type must be 'fp16', 'fp8', 'q8', 'q6' or 'q4'; got "q5"`],
	[{cache: {type: 'FP-16'}}, expect.stringMatching(/; got "FP-16"; did you mean "fp16"\?$/)],
	[{cache: []}, 'cache must be an object; got a list of 0'],
	[{loader: 'bufered'}, expect.stringMatching(/did you mean "buffered"\?$/)],
	[{device: 'CUDA'}, expect.stringMatching(/did you mean "cuda"\?$/)],
	[[], 'the options of loadModel() must be an object; got a list of 0'],
	[{cache: 5}, 'cache must be an object; got 5'],
	[{cache: {token: 5}}, 'loadModel() has no option "cache.token"; did you mean "tokens"?'],
	[{isolation: true}, "isolation must be 'none' or 'process'; got true"],
	[{onProgress: 1}, 'onProgress must be a function; got 1'],
	[{Device: 'cpu'}, 'loadModel() has no option "Device"; did you mean "device"?'],
])('refuses %j', (input, message) => {
	expect(() => parseLoadOptions(input)).toThrow(expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message}));
});

test('variables of the environment are checked by their own names, and only where no option stands', async () => {
	for (const [name, value, message] of [
		['EXL_THREADS', 'many', 'EXL_THREADS must be a whole number from 1 to 256; got "many"'],
		['EXL_THREADS', '0', 'EXL_THREADS must be a whole number from 1 to 256; got 0'],
		['EXL_DEVICE', 'CPU', expect.stringMatching(/^EXL_DEVICE must be 'auto', .*; got "CPU"; did you mean "cpu"\?$/)],
	] as const) {
		await withEnvironment({[name]: value}, async () => {
			expect(() => resolveLoadOptions({})).toThrow(expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message}));
			expect(resolveLoadOptions({threads: 2, device: 'reference'})).toMatchObject({threads: 2, device: 'reference'});
		});
	}
	await withEnvironment({EXL_THREADS: '3', EXL_DEVICE: 'cpu'}, async () => {
		expect(resolveLoadOptions(undefined)).toMatchObject({threads: 3, device: 'cpu'});
		expect(resolveLoadOptions({threads: undefined, device: undefined})).toMatchObject({threads: 3, device: 'cpu'});
	});
});
