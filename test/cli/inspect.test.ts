import {join} from 'node:path';
import {expect, test} from 'vitest';
import {modelsDirectory} from '../support/directory.js';
import {run, runJson, tiny} from './command.js';

const {inspectModel, listDevices, loadModel, memory} =
	require('../../dist/index.js') as typeof import('../../lib/index.js');

test('inspect prints what inspectModel() says', async () => {
	const info = await inspectModel(tiny);
	expect(await runJson(['inspect', tiny])).toEqual(info);
	expect(memory.snapshot().devices['cpu']?.allocated).toBe(0);
	expect(info).toMatchObject({
		directory: tiny,
		architecture: 'LlamaForCausalLM',
		formats: ['f16', 'exl2'],
		layers: 2,
		hidden: 128,
		heads: 8,
		keyHeads: 4,
		headDim: 16,
		vocabulary: 2048,
		contextTokens: 512,
		chatTemplate: false,
		cache: {defaultTokens: 512, types: {fp16: {bytesPerToken: 512, bytes: 512 * 512}}},
	});
	expect((await run(['inspect', tiny])).stdout).toMatch(/^down_proj +2 +98,304 +3\.99 /m);
});

test.each([
	['stories260k-hf', 260_032, ['f32']],
	['tinystories-656k', 656_000, ['f32']],
	// Its head is stored on its own, so it counts beside the embedding it was made from.
	['tinystories-656k-exl2', 656_000 + 2048 * 128, ['f16', 'exl2']],
	['tinystories-656k-gptq', 656_000, ['f16', 'gptq']],
])('%s: parameters, formats and memory', async (name, parameters, formats) => {
	const directory = join(modelsDirectory, name);
	const info = await inspectModel(directory);
	expect(info).toMatchObject({parameters, formats});
	expect(info.bitsPerWeight).toBeCloseTo((info.weightBytes * 8) / parameters, 10);

	const model = await loadModel(directory);
	const {weights, cache} = memory.snapshot().devices['cpu']!.byKind;
	expect(model.cacheTokens).toBe(info.cache.defaultTokens);
	await model.dispose();
	expect(cache).toBe(info.cache.types.fp16.bytes);
	expect(Math.abs(weights / info.weightBytes - 1)).toBeLessThan(0.05);
});

test('doctor', async () => {
	const report = await runJson(['doctor']);
	expect(Object.keys(report)).toEqual([
		...['version', 'node', 'platform', 'libc', 'cpuTarget', 'devices', 'backends', 'lookedFor', 'environment'],
	]);
	expect(report).toMatchObject({node: process.version, platform: `${process.platform}-${process.arch}`});
	expect(report.devices.map((device: {id: string}) => device.id)).toEqual(listDevices().map(({id}) => id));
	expect(report.lookedFor.some(({files}: {files: string[]}) => files.length > 0)).toBe(true);
	expect((await run(['doctor'])).stdout).toMatch(/^devices$/m);
});

test('doctor without a native build', async () => {
	const {code, stdout, stderr} = await run(['doctor', '--json'], '', {EXL_ADDON_PATH: '/nowhere.node'});
	expect(code).toBe(1);
	expect(stderr).toMatch(/^EXL_DEVICE_UNAVAILABLE: no device can be used: no native build/);
	const report = JSON.parse(stdout);
	expect(report).toMatchObject({cpuTarget: null, environment: {EXL_ADDON_PATH: '/nowhere.node'}});
	expect(report.devices.every(({usable, reason}: {usable: boolean; reason?: string}) => !usable && reason)).toBe(true);
});
