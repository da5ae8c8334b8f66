import {join} from 'node:path';
import {describe, expect, test, vi} from 'vitest';
import {loadModel} from '../../lib/isolate/index.js';
import {addLogger, type Level, type Logger, log} from '../../lib/log/index.js';
import {modelsDirectory} from '../support/directory.js';
import {emulatorLibrary} from '../support/emulator.js';
import {withEnvironment} from '../support/environment.js';

const directory = join(modelsDirectory, 'tinystories-656k-exl2');

/** A logger that remembers. */
function memo(): {logger: Logger; lines: string[]} {
	const lines: string[] = [];
	const at = (level: Level) => (message: string) => void lines.push(`${level} ${message}`);
	return {lines, logger: {debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error')}};
}

/** What is written to stderr meanwhile. */
function stderrOf(run: () => void): string {
	const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
	try {
		run();
		return written.mock.calls.map(([text]) => text).join('');
	} finally {
		written.mockRestore();
	}
}

describe('log()', () => {
	test('is silent, and does not even make the message', () => {
		const message = vi.fn(() => 'x');
		expect(stderrOf(() => log('device', 'warn', message))).toBe('');
		expect(message).not.toHaveBeenCalled();
	});

	test.each([
		['device', 'node-exllama device: x\n'],
		['memory, device', 'node-exllama device: x\n'],
		['all', 'node-exllama device: x\n'],
		['memory', ''],
		['', ''],
		['devices', ''],
	])('EXL_LOG=%j', (topics, expected) => {
		const write = () => withEnvironment({EXL_LOG: topics}, () => log('device', 'info', () => 'x'));
		expect(stderrOf(write)).toBe(expected);
	});

	test('tells each logger once, however many models brought it', () => {
		const {logger, lines} = memo();
		const removes = [addLogger(logger), addLogger(logger)];
		log('device', 'info', () => '1');
		removes[0]!();
		removes[0]!();
		log('memory', 'warn', () => '2');
		removes[1]!();
		log('device', 'info', () => '3');
		expect(lines).toEqual(['info device: 1', 'warn memory: 2']);
	});

	test('survives a logger that throws', () => {
		const {logger, lines} = memo();
		const fail = () => {
			throw new Error('disk full');
		};
		const removes = [addLogger({debug: fail, info: fail, warn: fail, error: fail}), addLogger(logger)];
		log('model', 'error', () => 'x');
		for (const remove of removes) remove();
		expect(lines).toEqual(['error model: x']);
	});
});

describe.each(['none', 'process'] as const)('the logger of loadModel(), isolation %s', isolation => {
	test('hears of the device, the model and its memory, and of nothing after dispose()', async () => {
		const {logger, lines} = memo();
		const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
		const backends = {EXL_BACKEND_PATH: join(__dirname, 'nowhere')};
		const model = await withEnvironment(backends, () => loadModel(directory, {device: 'auto', logger, isolation}));
		const diagnostics = await model.diagnostics();
		expect(lines).toEqual([
			expect.stringMatching(/^info device: 'auto' takes the CPU: .*no cuda backend/),
			expect.stringMatching(/^info model: model#\d+ \(LlamaForCausalLM\) was loaded on cpu in \d+ ms$/),
			expect.stringMatching(/^debug memory: model#\d+ created, \d{6,} bytes$/),
		]);
		await model.dispose();
		const {length} = lines;
		await (await loadModel(directory, {device: 'cpu'})).dispose();
		expect(lines).toHaveLength(length);
		expect(written).not.toHaveBeenCalled();
		written.mockRestore();
		expect(`info device: ${diagnostics.device.why}`).toBe(lines[0]);
	});
});

test.skipIf(emulatorLibrary === undefined)('native code is heard, each notice once', async () => {
	const {logger, lines} = memo();
	const model = await withEnvironment({EXL_BACKEND_PATH: emulatorLibrary!}, () =>
		loadModel(directory, {device: 'emulator', logger, cache: {tokens: 256}}),
	);
	await model.complete('Once', {maxTokens: 2});
	await model.dispose();
	const notice = 'warn device: emulator:0: it computes on the processor, slowly: it is for tests';
	expect(lines.filter(line => line.includes('emulator:0: '))).toEqual([notice]);
});

test('a logger is forgotten when the model was not loaded', async () => {
	const {logger, lines} = memo();
	await expect(loadModel('/nowhere', {device: 'cpu', logger})).rejects.toMatchObject({code: 'EXL_MODEL_NOT_FOUND'});
	await (await loadModel(directory, {device: 'cpu'})).dispose();
	expect(lines).toEqual([]);
});

test.each([{}, console.log, 'console', {...console, warn: undefined}])('%j is no logger', async logger => {
	await expect(loadModel(directory, {logger: logger as never})).rejects.toThrow(
		'logger must be an object with debug, info, warn and error, such as console; got ',
	);
});
