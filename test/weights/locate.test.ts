import {mkdirSync, writeFileSync} from 'node:fs';
import {homedir} from 'node:os';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import {expect, test} from 'vitest';
import {cacheDirectory, locateModel} from '../../lib/weights/locate.js';
import {temporaryDirectory} from '../support/directory.js';

const commit = '0123456789abcdef0123456789abcdef01234567';

/** A cache with one snapshot of `org/name`, reached by these revisions. */
async function cacheWith(...revisions: string[]): Promise<string> {
	const cache = await temporaryDirectory();
	const folder = path.join(cache, 'models--org--name');
	mkdirSync(path.join(folder, 'snapshots', commit), {recursive: true});
	for (const revision of revisions) {
		const file = path.join(folder, 'refs', revision);
		mkdirSync(path.dirname(file), {recursive: true});
		writeFileSync(file, `${commit}\n`);
	}
	return cache;
}

const failure = (name: string, cache: string) =>
	locateModel(name, {HF_HUB_CACHE: cache}).then(
		() => undefined,
		error => error as Error,
	);

test('a directory is itself', async () => {
	expect(await locateModel(__dirname, {})).toBe(__dirname);
	expect(await locateModel(path.relative(process.cwd(), __dirname), {})).toBe(__dirname);
});

test('a repository of the cache, by branch, by pull request and by commit', async () => {
	const cache = await cacheWith('main', '4.0bpw', 'refs/pr/1');
	const snapshot = path.join(cache, 'models--org--name', 'snapshots', commit);
	for (const name of ['org/name', 'org/name@main', 'org/name@4.0bpw', 'org/name@refs/pr/1', `org/name@${commit}`]) {
		expect(await locateModel(name, {HF_HUB_CACHE: cache}), name).toBe(snapshot);
	}
});

test('says where it looked and how to download', async () => {
	const cache = await cacheWith('4.0bpw', '6.0bpw');
	const error = await failure('org/name', cache);
	expect(error).toMatchObject({code: 'EXL_MODEL_NOT_FOUND'});
	expect(error!.message.split('\n')).toEqual([
		'No model "org/name". Looked for',
		`  ${path.resolve('org/name')}`,
		`  ${path.join(cache, 'models--org--name', 'refs', 'main')}`,
		'Revisions in the cache: 4.0bpw, 6.0bpw',
		'If it is on the Hugging Face Hub, download it with',
		'  npx node-exllama pull org/name',
	]);
	expect((await failure('org/name@3.0bpw', cache))!.message).toContain('npx node-exllama pull org/name@3.0bpw');
});

test('a revision whose snapshot was deleted', async () => {
	const cache = await cacheWith('main');
	writeFileSync(path.join(cache, 'models--org--name', 'refs', 'main'), 'feedface');
	expect((await failure('org/name', cache))!.message).toContain(path.join('snapshots', 'feedface'));
});

test.each(['./nowhere', '/no/such/directory', 'a/b/c', 'org/name@../../../etc', '../name'])(
	'%j is no name of a repository',
	async name => {
		const error = await failure(name, await cacheWith('main'));
		expect(error).toMatchObject({code: 'EXL_MODEL_NOT_FOUND'});
		expect(error!.message).not.toContain('node-exllama pull');
	},
);

test('a file is told from its directory', async () => {
	const directory = await temporaryDirectory();
	const file = path.join(directory, 'model.safetensors');
	writeFileSync(file, Buffer.alloc(100));
	const orphan = (await failure(file, await cacheWith()))!;
	expect(orphan).toMatchObject({code: 'EXL_MODEL_NOT_FOUND'});
	expect(orphan.message).toContain(`${file} is a file`);
	expect(orphan.message).toContain('has no config.json');
	writeFileSync(path.join(directory, 'config.json'), '{}');
	for (const name of ['model.safetensors', 'config.json']) {
		const error = (await failure(path.join(directory, name), await cacheWith()))!;
		expect(error.message).toContain(`is a file, and a model is a directory: give its directory, "${directory}"`);
	}
});

test.each([
	['GGUF\x03\0\0\0', 'EXL_FORMAT_UNSUPPORTED', /GGUF is not supported yet/],
	['PK\x03\x04\0\0', 'EXL_FORMAT_UNSUPPORTED', /PyTorch checkpoint/],
	['version https://git-lfs.github.com/spec/v1\noid sha256:0', 'EXL_FORMAT_INVALID', /Git LFS.*git lfs pull/],
	['\n<!DOCTYPE html><html>', 'EXL_FORMAT_INVALID', /is a web page/],
])('a file that begins with %j is told by it, whatever its name', async (content, code, message) => {
	const directory = await temporaryDirectory();
	for (const name of ['model.gguf', 'weights', 'model.safetensors']) {
		writeFileSync(path.join(directory, name), content);
		expect(await failure(path.join(directory, name), await cacheWith())).toMatchObject({
			code,
			message: expect.stringMatching(message),
		});
	}
});

test('what was probably meant', async () => {
	const directory = await temporaryDirectory();
	mkdirSync(path.join(directory, 'tinystories-656k'));
	const cache = await cacheWith();
	const meant = async (name: string) => /Did you mean "(.*)"/.exec((await failure(name, cache))!.message)?.[1];
	const right = path.join(directory, 'tinystories-656k');
	expect(await meant(path.join(directory, 'tinystory-656k'))).toBe(right);
	expect(await meant(path.join(directory, 'something-else'))).toBeUndefined();
	expect(await meant('https://huggingface.co/org/name')).toBe('org/name');
	expect(await meant('https://huggingface.co/org/name/tree/4.0bpw')).toBe('org/name@4.0bpw');
	expect(await meant('hf.co/org/name/tree/main')).toBe('org/name');
	expect(await meant(pathToFileURL(right).href)).toBe(right);
	expect(await meant('~/no/such/model')).toBe(path.join(homedir(), 'no/such/model'));
});

test('no name is a mistake, not the current directory', async () => {
	expect(await failure('', await cacheWith())).toMatchObject({code: 'EXL_INVALID_ARGUMENT'});
});

test('the cache is where huggingface_hub has it', () => {
	const join = (...parts: string[]) => path.join(path.resolve('/x'), ...parts);
	const all = {HF_HUB_CACHE: '/x/a', HUGGINGFACE_HUB_CACHE: '/x/b', HF_HOME: '/x/c', XDG_CACHE_HOME: '/x/d'};
	expect(cacheDirectory(all)).toBe(join('a'));
	expect(cacheDirectory({...all, HF_HUB_CACHE: ''})).toBe(join('b'));
	expect(cacheDirectory({HF_HOME: '/x/c', XDG_CACHE_HOME: '/x/d'})).toBe(join('c', 'hub'));
	expect(cacheDirectory({XDG_CACHE_HOME: '/x/d'})).toBe(join('d', 'huggingface', 'hub'));
	expect(cacheDirectory({})).toBe(path.join(homedir(), '.cache', 'huggingface', 'hub'));
	expect(cacheDirectory({HF_HOME: '~/hf'})).toBe(path.join(homedir(), 'hf', 'hub'));
});
