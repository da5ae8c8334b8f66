import {
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {locateModel} from '../../lib/weights/index.js';
import {commit, FakeHub, gitSha1, sha256} from './hub.js';
import {modelFiles, pullerOf, weights} from './support.js';

const other = 'fedcba9876543210fedcba9876543210fedcba98';

test('a model is laid out as all clients of the hub expect it', async () => {
	const puller = await pullerOf(await FakeHub.start(modelFiles));
	const pulled = await puller.pull();
	const directory = join(puller.folder, 'snapshots', commit);
	const files = ['config.json', 'tokenizer.json', 'model.safetensors'];
	const bytes = files.reduce((sum, file) => sum + modelFiles[file as 'config.json'].length, 0);
	expect(pulled).toEqual({
		...{name: 'org/name', revision: 'main', commit, directory, files, bytes, downloadedBytes: bytes},
	});
	expect(readFileSync(join(puller.folder, 'refs', 'main'), 'utf8')).toBe(commit);
	expect(readdirSync(directory).sort()).toEqual([...files].sort());
	expect(puller.blobs()).toEqual(
		[gitSha1(modelFiles['config.json']), sha256(modelFiles['tokenizer.json']), sha256(weights)].sort(),
	);
	expect(readlinkSync(join(directory, 'model.safetensors'))).toBe(join('..', '..', 'blobs', sha256(weights)));
	expect(puller.read('model.safetensors').equals(weights)).toBe(true);
	expect(puller.progress.at(-1)).toEqual([bytes, bytes]);
	expect(await locateModel('org/name', {HF_HUB_CACHE: puller.cache})).toBe(directory);
});

test('a second pull downloads nothing', async () => {
	const hub = await FakeHub.start(modelFiles);
	const puller = await pullerOf(hub);
	const {bytes} = await puller.pull();
	expect(await puller.pull()).toMatchObject({bytes, downloadedBytes: 0});
	expect(hub.count('/resolve/')).toBe(3);
});

test('a revision that moved shares what did not change', async () => {
	const hub = await FakeHub.start(modelFiles);
	const puller = await pullerOf(hub);
	await puller.pull();
	hub.branches.set('main', {commit: other, files: {...modelFiles, 'config.json': '{}'}});
	expect(await puller.pull()).toMatchObject({commit: other, downloadedBytes: 2});
	expect(puller.read('config.json', other).toString()).toBe('{}');
	expect(puller.read('config.json', commit).toString()).toBe(modelFiles['config.json']);
	expect(readFileSync(join(puller.folder, 'refs', 'main'), 'utf8')).toBe(other);
});

test('revisions are branches, names with slashes, and commits', async () => {
	const hub = await FakeHub.start(modelFiles);
	hub.branches.set('4.0bpw', {commit: other, files: modelFiles});
	hub.branches.set('refs/pr/1', {commit: other, files: modelFiles});
	const puller = await pullerOf(hub);
	expect(await puller.pull('org/name@4.0bpw')).toMatchObject({revision: '4.0bpw', commit: other});
	await puller.pull('https://huggingface.co/org/name@refs/pr/1');
	await puller.pull(`hf:org/name@${commit}`);
	expect(readFileSync(join(puller.folder, 'refs', 'refs', 'pr', '1'), 'utf8')).toBe(other);
	expect(readdirSync(join(puller.folder, 'refs')).sort()).toEqual(['4.0bpw', 'refs']);
	for (const revision of ['4.0bpw', 'refs/pr/1', commit]) {
		await locateModel(`org/name@${revision}`, {HF_HUB_CACHE: puller.cache});
	}
});

test('a model without an organisation, and folders in it', async () => {
	const files = {'config.json': '{}', 'model.safetensors': 'w', '1_Pooling/config.json': '[]', 'modules.json': '[]'};
	const hub = await FakeHub.start(files, 'gpt2');
	const puller = await pullerOf(hub);
	await puller.pull();
	expect(puller.read('1_Pooling/config.json').toString()).toBe('[]');
	const link = join(puller.folder, 'snapshots', commit, '1_Pooling', 'config.json');
	expect(readlinkSync(link)).toBe(join('..', '..', '..', 'blobs', gitSha1('[]')));
});

test('only what a model needs', async () => {
	const needless = ['pytorch_model.bin', 'model.onnx', 'original/params.json', 'consolidated.safetensors', 'x.gguf'];
	const needed = ['config.json', 'model-00001-of-00002.safetensors', 'model.safetensors.index.json', 'LICENSE'];
	const files = Object.fromEntries([...needless, ...needed, 'onnx/model.safetensors'].map(name => [name, name]));
	const puller = await pullerOf(await FakeHub.start(files));
	expect([...(await puller.pull()).files].sort()).toEqual(needed.sort());

	const only = await pullerOf(await FakeHub.start(files));
	const {files: chosen} = await only.pull(undefined, {include: ['*.gguf', 'original/'], exclude: ['*.json']});
	expect(chosen).toEqual(['x.gguf']);
	expect(await only.failure(undefined, {include: ['*.exe']})).toBe(
		'EXL_MODEL_NOT_FOUND: org/name has no file that fits *.exe.',
	);
});

test('weights of Mistral that are there twice are downloaded once, and at all if they are there once', async () => {
	const hub = await FakeHub.start({'config.json': '{}', 'consolidated.safetensors': 'w'});
	expect((await (await pullerOf(hub)).pull()).files).toContain('consolidated.safetensors');
});

test('a list of files on many pages', async () => {
	const hub = await FakeHub.start(modelFiles);
	hub.pageSize = 1;
	const puller = await pullerOf(hub);
	expect((await puller.pull()).files).toHaveLength(3);
	expect(hub.count('/tree/')).toBe(5);
});

test('two files of one content', async () => {
	const hub = await FakeHub.start({'config.json': '{}', 'generation_config.json': '{}', 'model.safetensors': 'w'});
	const puller = await pullerOf(hub);
	await puller.pull();
	expect(puller.read('generation_config.json').toString()).toBe('{}');
	expect(hub.count('/resolve/')).toBe(2);
	expect(puller.progress.at(-1)).toEqual([5, 5]);
});

test('an empty file', async () => {
	const hub = await FakeHub.start({'config.json': '{}', 'merges.txt': '', 'model.safetensors': 'w'});
	const puller = await pullerOf(hub);
	await puller.pull();
	expect(puller.read('merges.txt')).toHaveLength(0);
});

test('a snapshot that Python has begun is completed', async () => {
	const puller = await pullerOf(await FakeHub.start(modelFiles));
	const blob = join(puller.folder, 'blobs', gitSha1(modelFiles['config.json']));
	const directory = join(puller.folder, 'snapshots', commit);
	mkdirSync(join(puller.folder, 'blobs'), {recursive: true});
	mkdirSync(directory, {recursive: true});
	writeFileSync(blob, modelFiles['config.json']);
	writeFileSync(join(directory, 'tokenizer.json'), modelFiles['tokenizer.json']);
	const {bytes, downloadedBytes} = await puller.pull();
	expect(bytes - downloadedBytes).toBe(modelFiles['config.json'].length + modelFiles['tokenizer.json'].length);
	expect(readdirSync(directory)).toHaveLength(3);
});

test('a blob of the wrong size is replaced', async () => {
	const puller = await pullerOf(await FakeHub.start(modelFiles));
	await puller.pull();
	writeFileSync(join(puller.folder, 'blobs', sha256(weights)), 'short');
	await puller.pull();
	expect(puller.read('model.safetensors').equals(weights)).toBe(true);
});

test('an aborted pull rejects with the reason and can be taken up again', async () => {
	const hub = await FakeHub.start(modelFiles);
	const puller = await pullerOf(hub);
	const controller = new AbortController();
	const reason = new Error('enough');
	hub.mischief = (_, response, path) => {
		if (!path.endsWith('.safetensors')) return false;
		response.writeHead(200, {'content-length': weights.length});
		response.write(weights.subarray(0, 100_000), () => setTimeout(() => controller.abort(reason), 50));
		return true;
	};
	await expect(puller.pull(undefined, {signal: controller.signal})).rejects.toBe(reason);
	expect(existsSync(join(puller.folder, 'refs'))).toBe(false);
	expect(lstatSync(join(puller.folder, 'blobs', `${sha256(weights)}.incomplete`)).size).toBe(100_000);
	hub.mischief = () => false;
	await puller.pull();
	expect(hub.requests.map(({headers}) => headers.range)).toContain('bytes=100000-');
	expect(puller.read('model.safetensors').equals(weights)).toBe(true);
	rmSync(puller.cache, {recursive: true});
});

test('a pull that is not allowed to use the network takes what is there', async () => {
	const hub = await FakeHub.start(modelFiles);
	const puller = await pullerOf(hub);
	await puller.pull();
	const requests = hub.requests.length;
	const offline = await pullerOf(hub, {HF_HUB_OFFLINE: '1'}, puller.cache);
	expect(await offline.pull()).toMatchObject({directory: join(puller.folder, 'snapshots', commit), downloadedBytes: 0});
	expect(await offline.failure('org/other')).toBe(
		`EXL_DOWNLOAD_FAILED: HF_HUB_OFFLINE is set, so nothing is downloaded, and org/other@main is not in ${puller.cache}.`,
	);
	expect(hub.requests).toHaveLength(requests);
});
