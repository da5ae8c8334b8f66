import {execFileSync, spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterEach, describe, expect, it} from 'vitest';
import {KvCache, Tensor} from '../../lib/eager/index.js';
import * as memory from '../../lib/memory/public.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

const built = join(modelsDirectory, '../dist/index.js');
const directory = join(modelsDirectory, 'tinystories-656k-exl2');

keepDevicesOpen();
afterEach(expectNothingHeld);

/** Reads the text format of Prometheus as its documentation describes it. */
function parse(text: string): {samples: Map<string, number>; types: Map<string, string>} {
	expect(text.endsWith('\n')).toBe(true);
	const samples = new Map<string, number>();
	const types = new Map<string, string>();
	for (const line of text.trimEnd().split('\n')) {
		const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
		if (comment?.[1] === 'TYPE') types.set(comment[2]!, comment[3]!);
		if (comment) continue;
		const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="[^"\\\n]*",?)+\})? (\d+)$/.exec(line);
		expect(sample, line).not.toBeNull();
		const [, name, labels = '', value] = sample!;
		expect(types.get(name!), `${name} before its type`).toBe('gauge');
		expect(samples.has(name! + labels)).toBe(false);
		samples.set(name! + labels, Number(value));
	}
	return {samples, types};
}

describe('memory.metrics()', () => {
	it('is the snapshot, as Prometheus reads it', async () => {
		const tensor = Tensor.zeros([1000]);
		const cache = new KvCache({tokens: 300, keyHeads: 2, headDim: 16, device: 'reference'});
		const {devices} = memory.snapshot();
		const {samples, types} = parse(memory.metrics());
		expect(Object.keys(devices).sort()).toEqual(['cpu', 'reference']);
		let count = 0;
		for (const [device, {byKind, reserved, peak, buffers}] of Object.entries(devices)) {
			const expected = {
				...Object.fromEntries(
					Object.entries(byKind).map(([kind, bytes]) => [
						`memory_allocated_bytes{device="${device}",kind="${kind}"}`,
						bytes,
					]),
				),
				[`memory_reserved_bytes{device="${device}"}`]: reserved,
				[`memory_peak_bytes{device="${device}"}`]: peak,
				[`memory_buffers{device="${device}"}`]: buffers,
			};
			for (const [name, value] of Object.entries(expected)) {
				expect(samples.get(`node_exllama_${name}`), name).toBe(value);
				count++;
			}
		}
		expect(samples.size).toBe(count + 1);
		expect(types.size).toBe(5);
		const resident = samples.get('node_exllama_process_resident_bytes')!;
		expect(Math.abs(resident - process.memoryUsage.rss())).toBeLessThan(2 ** 25);
		tensor.dispose();
		cache.dispose();
	});
});

describe('memory.watch()', () => {
	it('samples until it is stopped', async () => {
		const samples: number[] = [];
		const stop = memory.watch({intervalMs: 5, onSample: ({devices}) => samples.push(devices['cpu']!.buffers)});
		while (samples.length < 3) await sleep(1);
		const tensor = Tensor.zeros([10]);
		const before = samples.length;
		while (samples.length < before + 2) await sleep(1);
		stop();
		stop();
		const taken = samples.length;
		await sleep(30);
		expect(samples).toHaveLength(taken);
		expect([samples[0], samples.at(-1)]).toEqual([0, 1]);
		tensor.dispose();
	});

	it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '5', undefined, null, 10n])(
		'refuses an interval of %s',
		intervalMs => {
			const watch = () => memory.watch({intervalMs: intervalMs as number, onSample: () => {}});
			expect(watch).toThrow(
				expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message: expect.stringContaining('intervalMs')}),
			);
		},
	);

	it.each([undefined, null, 7, {}, {intervalMs: 5}, {intervalMs: 5, onSample: 'f'}])('refuses %j', options => {
		expect(() => memory.watch(options as never)).toThrow(expect.objectContaining({code: 'EXL_INVALID_ARGUMENT'}));
	});

	it('does not keep Node alive', () => {
		const code = `require(${JSON.stringify(built)}).memory.watch({intervalMs: 1e6, onSample() {}})`;
		execFileSync(process.execPath, ['-e', code], {timeout: 20_000});
	});
});

describe('memory.trim()', () => {
	it('says by how much the process shrank', () => {
		const bytes = memory.trim();
		expect(Number.isInteger(bytes)).toBe(true);
		expect(bytes).toBeGreaterThanOrEqual(0);
		expect(bytes).toBeLessThan(2 ** 32);
	});
});

describe('EXL_LOG', () => {
	const code = `
		const {loadModel, Tensor} = require(${JSON.stringify(built)});
		(async () => {
			const model = await loadModel(${JSON.stringify(directory)}, {device: 'cpu'});
			await model.complete('Once', {maxTokens: 2});
			await model.dispose();
			(() => void Tensor.zeros([1000]))();
			for (let i = 0; i < 20; i++) {
				gc();
				await new Promise(resolve => setTimeout(resolve, 5));
			}
		})();
	`;
	const run = (topics: string) => {
		const env = {...process.env, EXL_LOG: topics};
		const {stdout, stderr, status} = spawnSync(process.execPath, ['--expose-gc', '-e', code], {env, encoding: 'utf8'});
		expect({stdout, status}).toEqual({stdout: '', status: 0});
		return stderr;
	};

	it.each(['memory', 'other,memory'])('%s tells what is created, disposed of and collected', topics => {
		expect(run(topics).trimEnd().split('\n')).toEqual([
			expect.stringMatching(/^node-exllama memory: model#1 created, \d{6,} bytes$/),
			'node-exllama memory: model#1 disposed',
			'node-exllama memory: tensor#1 created, 4000 bytes',
			'node-exllama memory: tensor#1 was collected without dispose(), 4000 bytes',
			'node-exllama memory: tensor#1 disposed',
		]);
	});

	it.each(['', 'other'])('"%s" tells nothing', topics => {
		expect(run(topics)).toBe('');
	});
});
