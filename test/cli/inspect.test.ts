import {join} from 'node:path';
import {expect, test} from 'vitest';
import {modelsDirectory} from '../support/directory.js';
import {tinyModel, writeTinyModel} from '../support/tiny-model.js';
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
		// 2 layers of 4 key heads of 16 elements, twice: 256 elements, in groups of 16.
		cache: {
			defaultTokens: 8192,
			types: {
				fp16: {bytesPerToken: 512, bytes: 8192 * 512},
				fp8: {bytesPerToken: 256},
				q8: {bytesPerToken: 256 + 32},
				q6: {bytesPerToken: 128 + 64 + 32},
				q4: {bytesPerToken: 128 + 32},
			},
		},
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

	for (const type of ['fp16', 'fp8', 'q8', 'q6', 'q4'] as const) {
		const model = await loadModel(directory, {cache: {type}});
		const {weights, cache} = memory.snapshot().devices['cpu']!.byKind;
		expect(model.cacheTokens).toBe(info.cache.defaultTokens);
		await model.dispose();
		expect(cache, type).toBe(info.cache.types[type]!.bytes);
		expect(Math.abs(weights / info.weightBytes - 1)).toBeLessThan(0.05);
	}
});

test('heads of which only some caches can be made', async () => {
	const directory = await writeTinyModel(tinyModel({headDim: 12}));
	const {layers, keyHeads, cache} = await inspectModel(directory);
	expect(Object.keys(cache.types)).toEqual(['fp16', 'fp8']);
	expect(cache.types.fp8.bytesPerToken).toBe(layers * keyHeads * 12 * 2);
	const message = 'a q6 cache needs heads of a multiple of 8 elements, these have 12; use fp16 or fp8';
	const {stdout, stderr} = await run(['bench', directory, '--cache-type', 'q6']);
	expect([stdout, stderr]).toEqual(['', `EXL_INVALID_ARGUMENT: ${message}\n`]);
	expect((await run(['inspect', directory])).stdout).toMatch(/^cache fp8 .* 96 bytes each$/m);
});

test('doctor', async () => {
	const report = await runJson(['doctor']);
	expect(Object.keys(report)).toEqual([
		...[
			'version',
			'runtime',
			'platform',
			'release',
			'libc',
			'addon',
			'cpuTarget',
			'processors',
			'totalBytes',
			'environment',
		],
		...['devices', 'auto', 'backends', 'lookedFor', 'memory', 'cache'],
	]);
	expect(report).toMatchObject({runtime: `Node ${process.version}`, platform: `${process.platform}-${process.arch}`});
	expect(report.devices.find(({id}: {id: string}) => id === report.auto.device).usable).toBe(true);
	expect(report.devices.map((device: {id: string}) => device.id)).toEqual(listDevices().map(({id}) => id));
	expect(report.lookedFor.some(({files}: {files: string[]}) => files.length > 0)).toBe(true);
	expect((await run(['doctor'])).stdout).toMatch(/^devices$/m);
});

test('doctor without a native build', async () => {
	const {code, stdout, stderr} = await run(['doctor', '--json'], '', {EXL_ADDON_PATH: '/nowhere.node'});
	expect(code).toBe(1);
	expect(stderr).toMatch(
		/^EXL_DEVICE_UNAVAILABLE: no device can be used: \/nowhere\.node cannot be loaded on .*no such file/i,
	);
	const report = JSON.parse(stdout);
	expect(report).toMatchObject({cpuTarget: null, auto: {device: null}, environment: {EXL_ADDON_PATH: '/nowhere.node'}});
	expect(report.devices.every(({usable, reason}: {usable: boolean; reason?: string}) => !usable && reason)).toBe(true);
});
