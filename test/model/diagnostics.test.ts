import {join} from 'node:path';
import {describe, expect, test, vi} from 'vitest';
import {loadModel} from '../../lib/isolate/index.js';
import {snapshot} from '../../lib/memory/index.js';
import {systemInfo} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';
import {withEnvironment} from '../support/environment.js';

const directory = join(modelsDirectory, 'tinystories-656k-exl2');
const options = {device: 'cpu', threads: 1, maxBatch: 2, cache: {tokens: 512, type: 'q8'}} as const;

test('what a report needs, as plain data', async () => {
	const model = await loadModel(directory, options);
	const before = Date.now();
	await model.complete('Once', {maxTokens: 3});
	const diagnostics = await model.diagnostics();
	expect(JSON.parse(JSON.stringify(diagnostics))).toEqual(diagnostics);
	expect(diagnostics).toMatchObject({
		system: {version: expect.stringMatching(/^\d/), runtime: `Node ${process.version}`},
		process: {pid: process.pid},
		model: {
			...{directory, architecture: 'LlamaForCausalLM', contextTokens: model.contextTokens},
			...{cacheTokens: 512, cacheType: 'q8', maxBatch: 2, threads: 1, loader: model.loader, draft: false},
		},
		device: {id: 'cpu', why: "'cpu' was asked for"},
		memory: {device: snapshot().devices['cpu']},
		generator: {jobs: [], waiting: 0},
	});
	expect(Date.parse(diagnostics.time)).toBeGreaterThanOrEqual(before);
	expect(diagnostics.device.name).toContain(diagnostics.system.cpuTarget);
	expect(diagnostics.generator.steps).toBeGreaterThan(0);
	expect(diagnostics.memory.bytes).toBe(diagnostics.memory.device.allocated);
	expect(JSON.stringify(diagnostics)).not.toContain('Once');
	await model.dispose();
	await expect(model.diagnostics()).rejects.toMatchObject({code: 'EXL_DISPOSED'});
});

test('of the process that runs the model', async () => {
	const model = await loadModel(directory, {...options, isolation: 'process'});
	const {process: own, memory, model: facts} = await model.diagnostics();
	expect(own.pid).not.toBe(process.pid);
	expect(memory.bytes).toBeGreaterThan(0);
	expect(facts).toMatchObject({name: 'model#1', directory, cacheType: 'q8'});
	await model.dispose();
	await expect(model.diagnostics()).rejects.toMatchObject({code: 'EXL_DISPOSED'});
});

test('why the loader is not the one asked for, if it is not', async () => {
	const model = await loadModel(directory, {...options, loader: 'mmap'});
	const {loader, loaderFallback} = (await model.diagnostics()).model;
	expect(loader === 'mmap').toBe(loaderFallback === undefined);
	await model.dispose();
});

describe('systemInfo()', () => {
	test('asks for no names of what the process is connected to, which takes seconds', () => {
		const {report} = process as unknown as {report: {excludeNetwork?: boolean; getReport(): object}};
		const getReport = report.getReport.bind(report);
		const excluded: (boolean | undefined)[] = [];
		vi.spyOn(report, 'getReport').mockImplementation(() => {
			excluded.push(report.excludeNetwork);
			return getReport();
		});
		systemInfo();
		vi.restoreAllMocks();
		expect(excluded).not.toContain(false);
		expect(excluded).not.toContain(undefined);
	});

	test('shows the variables that matter and no others', () => {
		const variables = {EXL_LOG: '', CUDA_VISIBLE_DEVICES: '0', HF_TOKEN: 'hf_secret'};
		const info = withEnvironment(variables, systemInfo);
		expect(info.environment).toMatchObject({EXL_LOG: '', CUDA_VISIBLE_DEVICES: '0'});
		expect(JSON.stringify(info)).not.toContain('hf_secret');
	});
});
