import {rmSync, truncateSync} from 'node:fs';
import {join} from 'node:path';
import {afterEach, describe, expect, it} from 'vitest';
import {writeRandomModel} from '../../bench/random-model.mjs';
import {KvCache, QuantMatrix, Tensor} from '../../lib/eager/index.js';
import {snapshot} from '../../lib/memory/index.js';
import {loadModel, Model} from '../../lib/model/index.js';
import type {LoaderName} from '../../lib/options/index.js';
import {modelsDirectory, temporaryDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

const invalid = expect.objectContaining({code: 'EXL_INVALID_ARGUMENT'});

keepDevicesOpen();
afterEach(expectNothingHeld);

describe.each([
	['Model', Model],
	['Tensor', Tensor],
	['QuantMatrix', QuantMatrix],
	['KvCache', KvCache],
] as const)('%s.dispose()', (_, {prototype}) => {
	const call = async (receiver: unknown) => prototype.dispose.call(receiver as never);

	it('refuses other objects', async () => {
		for (const foreign of [{}, [], () => {}, Object.create(prototype)]) {
			await expect(call(foreign)).rejects.toEqual(invalid);
		}
	});

	it('refuses what is no object', async () => {
		for (const foreign of [undefined, null, 7, 'model#1']) await expect(call(foreign)).rejects.toThrow(Error);
	});
});

it.each(['fast', 'Direct', '', null, 7, {}])('no loader is called %j', async loader => {
	const loading = loadModel(join(modelsDirectory, 'tinystories-656k-exl2'), {loader: loader as LoaderName});
	await expect(loading).rejects.toEqual(invalid);
	await expect(loading).rejects.toThrow(/^loader must be 'direct', 'buffered' or 'mmap'/);
});

describe.each(['direct', 'buffered'] as const)('a model that goes away while %s reads it', loader => {
	/** Loads it, and does `harm` to its directory when a tenth has been read. */
	async function loadAndHarm(harm: (directory: string) => void): Promise<unknown> {
		const directory = await temporaryDirectory();
		await writeRandomModel(directory, {shape: '130m'});
		let allocated = 0;
		const onProgress = ({loaded, total}: {loaded: number; total: number}) => {
			if (allocated > 0 || loaded < total / 10) return;
			({allocated} = snapshot().devices['cpu']!);
			harm(directory);
		};
		const outcome = await loadModel(directory, {device: 'cpu', loader, onProgress}).catch((error: unknown) => error);
		expect(allocated).toBeGreaterThan(10e6);
		return outcome;
	}

	it('because it is cut is refused', async () => {
		const outcome = await loadAndHarm(directory => truncateSync(join(directory, 'model.safetensors'), 60e6));
		expect(outcome).toMatchObject({name: 'ExlError', code: 'EXL_FORMAT_INVALID'});
		expect((outcome as Error).message).toMatch(/cannot read .*model\.safetensors at byte \d+: the file ends there/);
	});

	it('because it is emptied is refused', async () => {
		const outcome = await loadAndHarm(directory => truncateSync(join(directory, 'model.safetensors'), 0));
		expect(outcome).toMatchObject({name: 'ExlError', code: 'EXL_FORMAT_INVALID'});
	});

	it('because it is deleted is refused, or read to the end where open files stay', async () => {
		const outcome = await loadAndHarm(directory => rmSync(directory, {recursive: true}));
		if (outcome instanceof Model) await outcome.dispose();
		else expect((outcome as {code: string}).code).toMatch(/^EXL_(?:MODEL_NOT_FOUND|FORMAT_INVALID)$/);
	});
});
