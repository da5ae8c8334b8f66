import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, it} from 'vitest';
import {openWeights} from '../../lib/weights/directory.js';
import {readModelConfig} from '../../lib/weights/model-config.js';
import {temporaryDirectory} from '../support/directory.js';

async function directoryWith(...names: string[]): Promise<string> {
	const directory = await temporaryDirectory();
	for (const name of names) {
		await mkdir(join(directory, name, '..'), {recursive: true});
		await writeFile(join(directory, name), '{}');
	}
	return directory;
}

it.each([
	[
		['model-Q4_K_M.gguf'],
		'EXL_FORMAT_UNSUPPORTED',
		/holds a GGUF file \(model-Q4_K_M\.gguf\), and GGUF is not supported yet/,
	],
	[['adapter_config.json'], 'EXL_MODEL_NOT_FOUND', /LoRA adapter/],
	[['snapshots/0123/config.json', 'refs/main'], 'EXL_MODEL_NOT_FOUND', /Hugging Face cache; give "org\/name"/],
	[['params.json', 'consolidated.safetensors'], 'EXL_MODEL_NOT_FOUND', /maker's own layout/],
	[['a/config.json', 'b/config.json'], 'EXL_MODEL_NOT_FOUND', /give one of the models in it, such as ".*a", ".*b"/],
	[['readme.md'], 'EXL_MODEL_NOT_FOUND', /a model is a directory with config\.json/],
	[[], 'EXL_MODEL_NOT_FOUND', /it is empty/],
])('a directory that holds %j', async (names, code, message) => {
	const error = readModelConfig(await directoryWith(...names));
	await expect(error).rejects.toMatchObject({code, message: expect.stringMatching(message)});
});

it('names the repository of a folder of the cache', async () => {
	const folder = join(await temporaryDirectory(), 'models--maker--some-model');
	await mkdir(join(folder, 'snapshots'), {recursive: true});
	await expect(readModelConfig(folder)).rejects.toThrow('give "maker/some-model"');
});

it('names weights of another format', async () => {
	const directory = await directoryWith('config.json', 'pytorch_model.bin');
	await expect(openWeights(directory)).rejects.toMatchObject({
		code: 'EXL_FORMAT_UNSUPPORTED',
		message: expect.stringContaining('pytorch_model.bin'),
	});
});
