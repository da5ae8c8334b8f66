import {mkdirSync, writeFileSync} from 'node:fs';
import {homedir} from 'node:os';
import path from 'node:path';
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
