import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {temporaryDirectory} from '../support/directory.js';
import {FakeHub, sha256} from './hub.js';
import {modelFiles, pullerOf, weights} from './support.js';

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;

/** A disk of one megabyte. Undefined if this process may not mount one. */
async function smallDisk(): Promise<string | undefined> {
	const directory = await temporaryDirectory();
	try {
		execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], {stdio: 'ignore'});
	} catch {
		return undefined;
	}
	onTestFinished(() => void execFileSync('umount', ['--lazy', directory]));
	return directory;
}

test.skipIf(!isRoot)('a disk that is too small is known before the start', async context => {
	const disk = await smallDisk();
	if (disk === undefined) return context.skip('this process may not mount a tmpfs');
	const hub = await FakeHub.start({...modelFiles, 'model.safetensors': Buffer.alloc(4_200_000)});
	const puller = await pullerOf(hub, {}, disk);
	expect(await puller.failure()).toBe(
		`EXL_DISK_FULL: org/name needs 4.2 MB and ${disk} has 1.0 MB free. Free some space, or set HF_HUB_CACHE to another disk.`,
	);
	expect(hub.count('/resolve/')).toBe(0);
});

test.skipIf(!isRoot)('a disk that fills up meanwhile, and the same pull when there is space', async context => {
	const disk = await smallDisk();
	if (disk === undefined) return context.skip('this process may not mount a tmpfs');
	const hub = await FakeHub.start(modelFiles);
	const puller = await pullerOf(hub, {}, disk);
	const filler = join(disk, 'filler');
	hub.mischief = (_, response, path) => {
		if (!path.endsWith('.safetensors')) return false;
		response.writeHead(200, {'content-length': weights.length});
		response.write(weights.subarray(0, 100_000));
		setTimeout(() => {
			writeFileSync(filler, Buffer.alloc(750_000));
			response.end(weights.subarray(100_000));
		}, 100);
		return true;
	};
	expect(await puller.failure()).toMatch(
		/^EXL_DISK_FULL: The disk of \S+ is full: \d+\.\d kB of 305\.0 kB of org\/name were written, \d+\.\d kB are missing\. What is there is kept; run the same pull again when there is space\.$/,
	);
	expect(existsSync(join(puller.folder, 'refs'))).toBe(false);
	expect(statSync(join(puller.folder, 'blobs', `${sha256(weights)}.incomplete`)).size).toBeGreaterThanOrEqual(100_000);

	hub.mischief = () => false;
	rmSync(filler);
	await puller.pull();
	expect(puller.read('model.safetensors').equals(weights)).toBe(true);
	expect(hub.requests.some(({headers}) => headers.range !== undefined)).toBe(true);
});

test('a cache that cannot be written', async () => {
	const directory = await temporaryDirectory();
	writeFileSync(join(directory, 'file'), '');
	const hub = await FakeHub.start(modelFiles);
	const below = await pullerOf(hub, {}, join(directory, 'file', 'hub'));
	expect(await below.failure()).toMatch(
		/^EXL_DOWNLOAD_FAILED: The cache \S+hub cannot be written: a file is in the place of a folder \(.*\)\. Set HF_HUB_CACHE to a folder of yours\.$/,
	);
	const puller = await pullerOf(hub);
	mkdirSync(puller.folder);
	writeFileSync(join(puller.folder, 'blobs'), '');
	expect(await puller.failure()).toMatch(/^EXL_DOWNLOAD_FAILED: The cache .* cannot be written: /);
});
