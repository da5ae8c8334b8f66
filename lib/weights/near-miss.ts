import {readdir, stat} from 'node:fs/promises';
import {homedir} from 'node:os';
import {basename, dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {ExlError} from '../errors/index.js';
import {kindBytes, refuseForeignFile} from '../options/file-kind.js';
import {nearest} from '../options/nearest.js';
import {readExactly, withFile} from './file.js';

// Errors for what is nearly the name of a model: each sentence says what to type instead.

const modelFiles = 'config.json, tokenizer.json and *.safetensors';

const hubAddress =
	/^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\/([^/]+\/[^/?#]+)(?:\/(?:tree|blob|resolve)\/([^/?#]+))?/;

/** The error for a file in the place of a model's directory. */
export async function fileForDirectory(file: string): Promise<ExlError> {
	await withFile(file, async (handle, bytes) =>
		refuseForeignFile(file, await readExactly(handle, file, 0, Math.min(kindBytes, bytes))),
	);
	const directory = dirname(file);
	const isModel = (await namesIn(directory)).includes('config.json');
	const advice = isModel
		? `give its directory, "${directory}"`
		: `give a directory with ${modelFiles}; "${directory}" has no config.json`;
	return notFound(`${file} is a file, and a model is a directory: ${advice}`);
}

/** What was probably meant by a name that is neither a directory nor in the cache; undefined if there is no telling. */
export async function suggestionFor(name: string, local: string): Promise<string | undefined> {
	const [, repo, revision] = hubAddress.exec(name) ?? [];
	if (repo !== undefined) return revision === undefined || revision === 'main' ? repo : `${repo}@${revision}`;
	if (name.startsWith('file:')) return fileFromAddress(name);
	if (/^~[\\/]/.test(name)) return join(homedir(), name.slice(1));
	const near = nearest(basename(local), await directoriesIn(dirname(local)));
	return near === undefined ? undefined : join(dirname(local), near);
}

/** The error for a directory without a config.json. */
export async function directoryWithoutConfig(directory: string): Promise<ExlError> {
	const refusal = (problem: string) => notFound(`${directory} has no config.json: ${problem}`);
	const names = await namesIn(directory);
	const gguf = names.find(name => name.toLowerCase().endsWith('.gguf'));
	if (gguf !== undefined) {
		const message = `${directory} holds a GGUF file (${gguf}), and GGUF is not supported yet: take the same model as a directory with ${modelFiles}`;
		return new ExlError('EXL_FORMAT_UNSUPPORTED', message);
	}
	if (names.includes('adapter_config.json')) {
		return refusal('it is a LoRA adapter, which is not supported; merge it into its model and give that');
	}
	if (names.includes('snapshots')) {
		const [, repo = ''] = /^models--(.+)$/.exec(basename(directory)) ?? [];
		return refusal(`it is a folder of the Hugging Face cache; give "${repo.replace('--', '/') || 'org/name'}"`);
	}
	if (names.includes('params.json')) {
		return refusal("it is in its maker's own layout; take the one for Hugging Face transformers, which has one");
	}
	const models = [];
	for (const name of await directoriesIn(directory)) {
		if ((await namesIn(join(directory, name))).includes('config.json')) models.push(`"${join(directory, name)}"`);
	}
	if (models.length > 0) return refusal(`give one of the models in it, such as ${models.slice(0, 3).join(', ')}`);
	return refusal(names.length === 0 ? 'it is empty' : `a model is a directory with ${modelFiles}`);
}

/** The error for a directory without weights. */
export function directoryWithoutWeights(directory: string, names: readonly string[]): ExlError {
	const other = names.find(name => /\.(?:gguf|bin|pth?|onnx|h5|msgpack)$/i.test(name));
	const problem = other === undefined ? 'download the model anew' : `weights like ${other} are not supported`;
	const code = other === undefined ? 'EXL_MODEL_NOT_FOUND' : 'EXL_FORMAT_UNSUPPORTED';
	return new ExlError(code, `${directory} holds no *.safetensors file: ${problem}`);
}

function fileFromAddress(address: string): string | undefined {
	try {
		return fileURLToPath(address);
	} catch {
		return undefined;
	}
}

function notFound(message: string): ExlError {
	return new ExlError('EXL_MODEL_NOT_FOUND', message);
}

async function namesIn(directory: string): Promise<string[]> {
	return readdir(directory).then(
		names => names.sort(),
		() => [],
	);
}

async function directoriesIn(directory: string): Promise<string[]> {
	const names: string[] = [];
	for (const name of await namesIn(directory)) if (await isDirectory(join(directory, name))) names.push(name);
	return names;
}

/** A link to a directory is one. */
export async function isDirectory(path: string): Promise<boolean> {
	return stat(path).then(
		entry => entry.isDirectory(),
		() => false,
	);
}
