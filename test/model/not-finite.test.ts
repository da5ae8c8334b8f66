import {afterEach, describe, expect, it} from 'vitest';
import {loadModel} from '../../lib/model/index.js';
import {temporaryDirectory} from '../support/directory.js';
import {emulatorLibrary} from '../support/emulator.js';
import {withEnvironment} from '../support/environment.js';
import {expectNothingHeld} from '../support/memory.js';
import {tinyModel, writeTinyModel} from '../support/tiny-model.js';

// What a damaged file, or an overflow, makes of the logits.

afterEach(expectNothingHeld);

const damaged = {
	code: 'EXL_MODEL_INVALID',
	message: expect.stringMatching(/^the logits of the model.* are not finite/),
};

async function modelWith(value: number): Promise<string> {
	const model = tinyModel({layers: 1});
	const tensors = new Map(model.tensors);
	const norm = tensors.get('model.norm.weight')!;
	const data = new Uint8Array(new Float32Array(norm.data.byteLength / 4).fill(value).buffer);
	tensors.set('model.norm.weight', {...norm, data});
	const directory = await temporaryDirectory();
	await writeTinyModel({...model, tensors}, directory);
	return directory;
}

const devices: ('cpu' | 'reference' | 'emulator')[] = ['cpu', 'reference'];
if (emulatorLibrary) devices.push('emulator');

describe.each(devices)('logits that are not finite on %s', device => {
	it.each([Number.NaN, Number.POSITIVE_INFINITY])('are an error, with weights of %d', async value => {
		const directory = await modelWith(value);
		await withEnvironment(emulatorLibrary ? {EXL_BACKEND_PATH: emulatorLibrary} : {}, async () => {
			await using model = await loadModel(directory, {device, threads: 2, cache: {tokens: 512}});
			for (const options of [{temperature: 0}, {}, {topK: 0, topP: 1}, {topLogprobs: 3}, {returnLogits: true}]) {
				await expect(model.complete([1, 2, 3], {maxTokens: 4, ...options})).rejects.toMatchObject(damaged);
			}
			const guided = {guidance: {scale: 2, negativePrompt: [4, 5]}, maxTokens: 2};
			await expect(model.complete([1, 2, 3], guided)).rejects.toMatchObject(damaged);
			await expect(model.score([1, 2, 3])).rejects.toMatchObject(damaged);
			let called = 0;
			const logitsHook = () => void called++;
			await expect(model.complete([1, 2, 3], {maxTokens: 2, logitsHook})).rejects.toMatchObject(damaged);
			expect(called).toBe(0);
		});
	});
});

describe('a sound model', () => {
	it('is told of a hook that leaves no numbers', async () => {
		await using model = await loadModel(await modelWith(1), {device: 'cpu', threads: 1, cache: {tokens: 256}});
		for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
			const logitsHook = (logits: Float32Array) => void logits.fill(wrong);
			await expect(model.complete([1, 2], {maxTokens: 2, logitsHook})).rejects.toMatchObject({
				code: 'EXL_INVALID_ARGUMENT',
				op: 'logitsHook',
			});
		}
		const only = (logits: Float32Array) => void logits.fill(Number.NEGATIVE_INFINITY).fill(1, 7, 8);
		expect((await model.complete([1, 2], {maxTokens: 3, logitsHook: only, stop: []})).tokenIds).toEqual([7, 7, 7]);
	});

	it('goes on beside a job that is refused', async () => {
		await using model = await loadModel(await modelWith(1), {device: 'cpu', threads: 1, cache: {tokens: 512}});
		const alone = await model.complete([1, 2], {maxTokens: 6, temperature: 0});
		const logitsHook = (logits: Float32Array) => void logits.fill(Number.NaN);
		const [refused, other] = await Promise.allSettled([
			model.complete([3, 4], {maxTokens: 6, logitsHook}),
			model.complete([1, 2], {maxTokens: 6, temperature: 0}),
		]);
		expect(refused.status).toBe('rejected');
		expect(other).toMatchObject({status: 'fulfilled', value: {tokenIds: alone.tokenIds}});
	});
});
