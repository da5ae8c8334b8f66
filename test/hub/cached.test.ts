import {existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {listCached, removeCached} from '../../lib/hub/index.js';
import {tryLock} from '../../lib/hub/lock.js';
import {temporaryDirectory} from '../support/directory.js';
import {commit, FakeHub, gitSha1, sha256} from './hub.js';
import {modelFiles, pullerOf, weights} from './support.js';

const other = 'fedcba9876543210fedcba9876543210fedcba98';
const config = '{"other": true}';

/** A model with two revisions that share the weights. */
async function twoRevisions() {
	const hub = await FakeHub.start(modelFiles);
	hub.branches.set('4.0bpw', {commit: other, files: {...modelFiles, 'config.json': config}});
	const puller = await pullerOf(hub);
	await puller.pull();
	await puller.pull('org/name@4.0bpw');
	const environment = {HF_HUB_CACHE: puller.cache};
	return {
		puller,
		list: () => listCached(environment),
		remove: (name: string, all = false) => removeCached(name, all, environment),
	};
}

const size = (text: string | Buffer) => Buffer.byteLength(text);
const shared = size(weights) + size(modelFiles['tokenizer.json']);

test('an empty cache, and none', async () => {
	expect(await listCached({HF_HUB_CACHE: await temporaryDirectory()})).toEqual([]);
	expect(await listCached({HF_HUB_CACHE: '/nowhere/at/all'})).toEqual([]);
});

test('lists revisions, and what they share once', async () => {
	const {puller, list} = await twoRevisions();
	const partial = join(puller.folder, 'blobs', `${sha256('x')}.incomplete`);
	writeFileSync(partial, 'part');
	const revision = (hash: string, ref: string, text: string) => ({
		commit: hash,
		refs: [ref],
		directory: join(puller.folder, 'snapshots', hash),
		files: 3,
		bytes: shared + size(text),
	});
	expect(await list()).toEqual([
		{
			name: 'org/name',
			revisions: [revision(commit, 'main', modelFiles['config.json']), revision(other, '4.0bpw', config)],
			bytes: shared + size(modelFiles['config.json']) + size(config) + 4,
			partialBytes: 4,
		},
	]);
});

test('removes a revision and leaves what others share', async () => {
	const {puller, list, remove} = await twoRevisions();
	expect(await remove('org/name')).toEqual({
		name: 'org/name',
		revisions: [commit],
		bytes: size(modelFiles['config.json']),
		left: ['4.0bpw'],
	});
	expect(puller.blobs()).toEqual([gitSha1(config), sha256(modelFiles['tokenizer.json']), sha256(weights)].sort());
	expect(readdirSync(join(puller.folder, 'refs'))).toEqual(['4.0bpw']);
	expect(puller.read('model.safetensors', other).equals(weights)).toBe(true);
	expect((await remove('org/name@4.0bpw')).bytes).toBe(shared + size(config));
	expect(existsSync(puller.folder)).toBe(false);
	expect(await list()).toEqual([]);
});

test('a commit that two branches share goes with the second', async () => {
	const {puller, remove} = await twoRevisions();
	writeFileSync(join(puller.folder, 'refs', 'stable'), commit);
	expect(await remove('org/name')).toMatchObject({revisions: [], bytes: 0, left: ['stable', '4.0bpw']});
	expect(await remove('org/name@stable')).toMatchObject({revisions: [commit]});
});

test('by commit, with all that stands for it', async () => {
	const {puller, remove} = await twoRevisions();
	expect(await remove(`org/name@${other}`)).toMatchObject({revisions: [other], left: ['main']});
	expect(readdirSync(join(puller.folder, 'refs'))).toEqual(['main']);
});

test('everything', async () => {
	const {puller, remove} = await twoRevisions();
	writeFileSync(join(puller.folder, 'blobs', `${sha256('x')}.incomplete`), 'part');
	expect(await remove('org/name', true)).toMatchObject({revisions: [commit, other], left: []});
	expect(existsSync(puller.folder)).toBe(false);
});

test('what was only begun', async () => {
	const {puller, remove} = await twoRevisions();
	renameSync(puller.folder, `${puller.folder}-away`);
	mkdirSync(join(puller.folder, 'blobs'), {recursive: true});
	writeFileSync(join(puller.folder, 'blobs', `${sha256('x')}.incomplete`), 'part');
	await expect(remove('org/name')).rejects.toMatchObject({code: 'EXL_MODEL_NOT_FOUND'});
	expect(await remove('org/name', true)).toMatchObject({bytes: 4});
});

test('not what another program is downloading', async () => {
	const {puller, remove} = await twoRevisions();
	writeFileSync(join(puller.folder, 'blobs', `${sha256('x')}.incomplete`), 'part');
	const unlock = await tryLock(join(puller.cache, '.locks', 'models--org--name', `${sha256('x')}.lock`));
	await expect(remove('org/name', true)).rejects.toThrow(
		'org/name is being downloaded by another program: end that first.',
	);
	await unlock!();
	await remove('org/name', true);
});

test('what is not there', async () => {
	const {puller, remove} = await twoRevisions();
	await expect(remove('org/name@3.0bpw')).rejects.toThrow(
		`org/name@3.0bpw is not in ${puller.cache}. Revisions that are there: main, 4.0bpw.`,
	);
	await expect(remove('org/none')).rejects.toThrow(`org/none is not in ${puller.cache}.`);
	await expect(remove('../x', true)).rejects.toMatchObject({code: 'EXL_INVALID_ARGUMENT'});
	expect(readFileSync(join(puller.folder, 'refs', 'main'), 'utf8')).toBe(commit);
});
