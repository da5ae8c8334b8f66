import {join} from 'node:path';
import {Worker} from 'node:worker_threads';
import {afterEach, describe, expect, it, vi} from 'vitest';
import {resolveDevice, snapshot} from '../../lib/memory/index.js';
import {listDevices, loadModel} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';
import {emulatorLibrary} from '../support/emulator.js';
import {withEnvironment} from '../support/environment.js';

const directory = join(modelsDirectory, 'stories260k-hf');
const nowhere = {EXL_BACKEND_PATH: '/nowhere'};
/** The emulator, over a driver that is set up like this. */
const over = (driver: string) => ({EXL_BACKEND_PATH: emulatorLibrary ?? '', EXL_FAKE_DRIVER: driver});

const load = () => loadModel(directory, {device: 'emulator', cache: {tokens: 256}});
const complete = (model: Awaited<ReturnType<typeof load>>) =>
	model.complete('Once', {maxTokens: 2, temperature: 0, repetitionPenalty: 1});
const unavailable = (part: string) =>
	expect.objectContaining({code: 'EXL_DEVICE_UNAVAILABLE', message: expect.stringContaining(part)});

/** A device that was closed is gone from the snapshot: nothing was left on it. */
afterEach(() => expect(Object.keys(snapshot().devices)).toEqual(['cpu']));

describe('without a CUDA backend', () => {
	it('is explained in the list', () => {
		const cuda = withEnvironment(nowhere, listDevices).find(({kind}) => kind === 'cuda');
		expect(cuda).toMatchObject({id: 'cuda', usable: false});
		expect(cuda!.reason).toMatch(/no cuda backend; \/nowhere: it cannot be opened: /);
	});

	it.each(['cuda', 'cuda:0', 'emulator'] as const)('refuses %s', name => {
		const resolve = () => withEnvironment(nowhere, () => resolveDevice(name));
		expect(resolve).toThrow(unavailable(`${name} cannot be used: this build has no ${name.split(':')[0]} backend`));
	});

	it('takes the CPU if left the choice, and says why', () => {
		const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
		try {
			expect(withEnvironment({...nowhere, EXL_LOG: 'device'}, () => resolveDevice('auto'))).toBe('cpu');
			expect(written).toHaveBeenCalledWith(expect.stringMatching(/'auto' takes the CPU: .*no cuda backend.*\n$/));
		} finally {
			written.mockRestore();
		}
	});
});

describe.skipIf(emulatorLibrary === undefined)('over a fake driver', () => {
	it('lists every device', () => {
		const devices = withEnvironment(over('devices=2,total=5000000'), listDevices);
		expect(devices.filter(({kind}) => kind === 'emulator')).toEqual(
			[0, 1].map(i => ({
				id: `emulator:${i}`,
				kind: 'emulator',
				name: `emulated GPU ${i}`,
				totalBytes: 5_000_000,
				freeBytes: 5_000_000,
				usable: true,
			})),
		);
	});

	it.each([
		['no driver', 'missing=there is no driver', 'emulator', 'there is no driver'],
		['an old driver', 'version=11080', 'emulator', 'it supports CUDA 11.8, this build needs 12.4'],
		['no GPU', 'devices=0', 'emulator', 'finds no GPU'],
		['no code for a GPU', 'code=0', 'emulator:0', 'has no code that it can run'],
		['an old GPU', 'capability=61', 'emulator:0', 'its compute capability is 6.1'],
		['an index out of range', 'devices=2', 'emulator:2', 'there are 2, numbered from 0'],
	] as const)('says that there is %s', async (_, driver, device, part) => {
		await withEnvironment(over(driver), async () => {
			await expect(loadModel(directory, {device})).rejects.toThrow(unavailable(`${device} cannot be used`));
			await expect(loadModel(directory, {device})).rejects.toThrow(unavailable(part));
		});
	});

	it('is what EXL_DEVICE names', async () => {
		await withEnvironment({...over('devices=2'), EXL_DEVICE: 'emulator:1'}, async () => {
			await using model = await loadModel(directory, {cache: {tokens: 256}});
			expect(model.device).toBe('emulator:1');
			const {allocated, byKind} = snapshot().devices['emulator:1']!;
			// What is not on the device is staging.
			const used = listDevices().find(({id}) => id === 'emulator:1')!;
			expect(used.totalBytes - used.freeBytes).toBeGreaterThanOrEqual(allocated - byKind.staging);
			expect(used.totalBytes - used.freeBytes).toBeLessThan(allocated);
		});
	});

	it.each(['tinystories-656k-exl2', 'tinystories-656k-gptq'])('draws what the CPU draws from %s', async name => {
		const ids = async (device: 'cpu' | 'emulator') => {
			await using model = await loadModel(join(modelsDirectory, name), {device, cache: {tokens: 256}});
			const drawn: number[] = [];
			const options = {maxTokens: 6, temperature: 0, repetitionPenalty: 1};
			for await (const {tokenIds} of model.generate('Once upon a time', options)) drawn.push(...tokenIds);
			return drawn;
		};
		await withEnvironment(over('devices=1'), async () => expect(await ids('emulator')).toEqual(await ids('cpu')));
	});

	it('goes on, and says so once, where the driver records no steps', async () => {
		const said: string[] = [];
		const ignore = () => {};
		const warn = (message: string) => void (message.includes('recorded') && said.push(message));
		await withEnvironment(over('records=0'), async () => {
			const logger = {debug: ignore, info: ignore, warn, error: ignore};
			await using model = await loadModel(directory, {device: 'emulator', cache: {tokens: 256}, logger});
			const options = {maxTokens: 8, minTokens: 8, temperature: 0, repetitionPenalty: 1};
			for (let i = 0; i < 2; i++) expect((await model.complete('Once', options)).completionTokens).toBe(8);
		});
		expect(said).toHaveLength(2);
		expect(said[0]).toMatch(/emulator:0: a step could not be recorded.*cudaLaunchKernelExC failed/);
		expect(said[1]).toMatch(/no step is recorded from now on/);
	});

	it('has a ledger that knows what the driver took', async () => {
		await withEnvironment(over('page=2097152'), async () => {
			await using model = await load();
			const {reserved, byKind} = snapshot().devices['emulator:0']!;
			expect(model.device).toBe('emulator:0');
			const {totalBytes, freeBytes} = listDevices().find(({id}) => id === 'emulator:0')!;
			// Pinned memory is the host's.
			expect(totalBytes - freeBytes).toBeLessThanOrEqual(reserved);
			expect(totalBytes - freeBytes).toBeGreaterThanOrEqual(reserved - byKind.staging);
		});
	});

	it('goes with a thread that exits without disposing', async () => {
		const code = `
			const {loadModel} = require(${JSON.stringify(join(__dirname, '../../dist/index.js'))});
			loadModel(${JSON.stringify(directory)}, {device: 'emulator', cache: {tokens: 256}}).then(async model => {
				const running = model.complete('Once', {maxTokens: 200, temperature: 0});
				setTimeout(() => process.exit(0), 50);
				await running;
			});`;
		const worker = new Worker(code, {eval: true, env: {...process.env, ...over('devices=1')}});
		expect(await new Promise(resolve => worker.on('exit', resolve))).toBe(0);
	});

	it('says what was asked for, what was free and what to change, and goes on', async () => {
		await withEnvironment(over('total=600000'), async () => {
			const error = await load().catch((error: unknown) => error);
			expect(error).toMatchObject({code: 'EXL_OUT_OF_MEMORY', op: expect.any(String)});
			expect(String(error)).toMatch(
				/emulator:0 has [\d.]+ MiB free of 0\.6 MiB, and [\d.]+ MiB were asked for for \w+; .*fewer cache tokens/,
			);
		});
		await withEnvironment(over('total=50000000'), async () => {
			await using model = await load();
			expect((await complete(model)).completionTokens).toBe(2);
		});
	});

	it('stays lost, quotes the first cause, and can be opened again', async () => {
		await withEnvironment(over('devices=1'), async () => {
			const model = await load();
			process.env.EXL_FAKE_DRIVER = 'fail_at=30,fail_with=700';
			listDevices(); // looks at the environment
			for (let i = 0; i < 2; i++) {
				await expect(complete(model)).rejects.toThrow(
					expect.objectContaining({code: 'EXL_DEVICE_LOST', message: expect.stringContaining('FAKE_ERROR_700')}),
				);
			}
			await model.dispose();
			expect(Object.keys(snapshot().devices)).toEqual(['cpu']);
			process.env.EXL_FAKE_DRIVER = '';
			await using again = await load();
			expect((await complete(again)).completionTokens).toBe(2);
		});
	});

	it.each([2, 700])('survives a failure with %i of any call', async code => {
		let failures = 0;
		for (let at = 1; at < 600; at += 37) {
			const error = await withEnvironment(over(`fail_at=${at},fail_with=${code}`), async () => {
				try {
					await using model = await load();
					await complete(model);
					return undefined;
				} catch (error) {
					return error;
				}
			});
			expect(Object.keys(snapshot().devices), `call ${at}`).toEqual(['cpu']);
			// What only gives back, or can be done without, fails in silence.
			if (error === undefined) continue;
			failures++;
			const codes =
				code === 2 ? ['EXL_OUT_OF_MEMORY', 'EXL_DEVICE_UNAVAILABLE'] : ['EXL_DEVICE_LOST', 'EXL_DEVICE_UNAVAILABLE'];
			expect(codes, `${error}`).toContain((error as {code?: string}).code);
		}
		expect(failures).toBeGreaterThan(3);
	});
});
