import {lstatSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test, vi} from 'vitest';
import {listCached, removeCached} from '../../lib/hub/index.js';
import {locateModel} from '../../lib/weights/index.js';
import {commit, FakeHub} from './hub.js';
import {modelFiles, pullerOf, weights} from './support.js';

// As on Windows without the right to make links, and on exFAT.
vi.mock('node:fs/promises', async original => ({
	...(await original<typeof import('node:fs/promises')>()),
	symlink: async () => {
		throw Object.assign(new Error('no links'), {code: 'EPERM', syscall: 'symlink'});
	},
}));

test('without links the files themselves are in the snapshot', async () => {
	const hub = await FakeHub.start({...modelFiles, 'generation_config.json': modelFiles['config.json']});
	const puller = await pullerOf(hub);
	const {bytes} = await puller.pull();
	const directory = join(puller.folder, 'snapshots', commit);
	for (const name of readdirSync(directory)) expect(lstatSync(join(directory, name)).isFile()).toBe(true);
	expect(readdirSync(directory)).toHaveLength(4);
	expect(puller.read('model.safetensors').equals(weights)).toBe(true);
	expect(puller.read('generation_config.json').toString()).toBe(modelFiles['config.json']);
	expect(await locateModel('org/name', {HF_HUB_CACHE: puller.cache})).toBe(directory);

	const requests = hub.count('/resolve/');
	expect(await puller.pull()).toMatchObject({downloadedBytes: 0});
	expect(hub.count('/resolve/')).toBe(requests);

	const environment = {HF_HUB_CACHE: puller.cache};
	expect(await listCached(environment)).toMatchObject([{bytes}]);
	expect(await removeCached('org/name', false, environment)).toMatchObject({bytes, left: []});
});
