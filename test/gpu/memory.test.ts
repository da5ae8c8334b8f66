import {execFileSync, spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {afterEach, beforeAll, expect, it, vi} from 'vitest';
import {KvCache} from '../../lib/eager/index.js';
import {loadModel as loadIsolated} from '../../lib/isolate/index.js';
import {resolveDevice, snapshot} from '../../lib/memory/index.js';
import {listDevices, loadModel, type Model} from '../../lib/model/index.js';
import {describeOnDevice, isEmulated} from '../support/device.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld} from '../support/memory.js';

const directory = join(modelsDirectory, 'tinystories-656k-exl2');
const greedy = {temperature: 0, repetitionPenalty: 1, maxTokens: 4, minTokens: 4};
const tokensOf = async (model: Pick<Model, 'complete'>) => (await model.complete('Once upon a time', greedy)).tokenIds;
const outOfMemory = expect.objectContaining({code: 'EXL_OUT_OF_MEMORY'});

/** Bytes that others may take meanwhile, and that the driver may keep of a process. */
const slack = isEmulated ? 0 : 32 * 2 ** 20;

// Of its default, 1 GiB, every byte would be written.
if (isEmulated) process.env.EXL_FAKE_DRIVER = 'total=67108864';

/** Processes with a context on a GPU. In a container they may have other numbers, or not be listed at all. */
const processes = (): string[] =>
	execFileSync('nvidia-smi', ['--query-compute-apps=gpu_uuid,pid', '--format=csv,noheader'], {encoding: 'utf8'})
		.trim()
		.split('\n')
		.sort();

describeOnDevice('memory', device => {
	let kind: ReturnType<typeof resolveDevice>;
	/** As the driver counts it, for all processes together; bytes. */
	const memory = () => listDevices().find(({id}) => id === kind)!;
	const used = () => memory().totalBytes - memory().freeBytes;
	const load = (options = {}) => loadModel(directory, {device, cache: {tokens: 1024}, ...options});

	/** A context goes with a delay. */
	const expectGivenBack = (before: number) =>
		vi.waitFor(() => expect(used() - before).toBeLessThanOrEqual(slack), {timeout: 5000});

	beforeAll(() => {
		kind = resolveDevice(device);
	});

	// A device that was closed is gone from the snapshot: nothing was left on it.
	afterEach(() => {
		expectNothingHeld();
		expect(Object.keys(snapshot().devices)).toEqual(['cpu']);
	});

	it('comes back to the byte, and to the driver, time after time', async () => {
		const before = used();
		for (let i = 0; i < 5; i++) {
			const model = await load();
			await tokensOf(model);
			const {allocated, byKind} = snapshot().devices[kind]!;
			// What is not on the device is staging.
			expect(used() - before).toBeGreaterThanOrEqual(allocated - byKind.staging);
			await model.dispose();
			expectNothingHeld();
			await expectGivenBack(before);
		}
	});

	it('comes back from a model in a process of its own, and from a process that is killed', async () => {
		const before = used();
		const isolated = await loadIsolated(directory, {device, cache: {tokens: 1024}, isolation: 'process'});
		expect(await tokensOf(isolated)).toHaveLength(4);
		await isolated.dispose();
		await expectGivenBack(before);

		const code = `require(${JSON.stringify(join(__dirname, '../../dist/index.js'))})
			.loadModel(${JSON.stringify(directory)}, {device: '${device}'})
			.then(async model => {
				for await (const _ of model.generate('Once')) process.kill(process.pid, 'SIGKILL');
			});`;
		expect(spawnSync(process.execPath, ['-e', code]).signal).toBe('SIGKILL');
		await expectGivenBack(before);
	});

	it.skipIf(isEmulated)('comes with a context that goes', async () => {
		const before = processes();
		const model = await load();
		const during = processes();
		await model.dispose();
		if (during.length <= before.length) console.log('nvidia-smi does not list the processes of this container');
		await vi.waitFor(() => expect(processes()).toEqual(before), {timeout: 5000});
	});

	it('that is not there is said to be missing, at load and for a cache, and all else goes on', async () => {
		const before = used();
		const model = await load();
		const expected = await tokensOf(model);

		const {totalBytes} = memory();
		const cacheOf = (bytes: number) => new KvCache({tokens: bytes / 4096, keyHeads: 8, headDim: 128, device});
		// For what a driver takes by itself, for graphs and the like.
		const spare = cacheOf(totalBytes / 1024);
		const held: KvCache[] = [];
		try {
			for (let bytes = totalBytes; bytes > totalBytes / 1024; ) {
				try {
					held.push(cacheOf(bytes));
				} catch (error) {
					expect(error).toEqual(outOfMemory);
					expect(String(error)).toMatch(/MiB free of .* MiB were asked for/);
					bytes /= 2;
				}
			}
			expect(held.length).toBeGreaterThan(0);
			spare.dispose();
			await expect(load({cache: {tokens: 2 ** 24}})).rejects.toEqual(outOfMemory);
			expect(await tokensOf(model)).toEqual(expected);
		} finally {
			for (const cache of [spare, ...held]) cache.dispose();
		}

		const another = await load();
		expect(await tokensOf(another)).toEqual(expected);
		await model.dispose();
		await another.dispose();
		await expectGivenBack(before);
	});
});
