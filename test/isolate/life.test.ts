import {setImmediate as immediate} from 'node:timers/promises';
import {afterEach, describe, expect, it} from 'vitest';
import {loadModel, type Model} from '../../lib/isolate/index.js';
import {type LeakReport, off, on} from '../../lib/memory/leak.js';
import {
	caught,
	children,
	directory,
	greedy,
	isAlive,
	isolated,
	messageOf,
	prompt,
	script,
	sleep,
	until,
} from './support.js';

afterEach(async () => {
	expect(await until(() => children().length === 0)).toBe(true);
});

const exited = (...parts: string[]) => ({
	code: 'EXL_ISOLATE_EXITED',
	message: expect.stringMatching(new RegExp(parts.join('.*'))),
});
const kill = (signal: NodeJS.Signals = 'SIGKILL') => {
	for (const pid of children()) process.kill(pid, signal);
};

describe('a child that is killed', () => {
	it.each([0, 30, 60, 90])('while it loads, after %i ms', async ms => {
		const loading = caught(isolated());
		await until(() => children().length === 1);
		await sleep(ms);
		kill();
		const outcome = await loading;
		// It may have been through.
		if (outcome !== 'no error') expect(outcome).toMatchObject(exited('SIGKILL', 'loadModel\\(\\)'));
	});

	it('while it is idle', async () => {
		const model = await isolated();
		kill();
		await until(() => children().length === 0);
		await sleep(50);
		for (const call of ['complete', 'score', 'logits'] as const) {
			expect(await caught(model[call](prompt)), call).toMatchObject(exited('isolate#\\d', 'SIGKILL', 'idle'));
		}
		expect(await caught(model.generate(prompt).text())).toMatchObject(exited('SIGKILL'));
		expect(model.tokenizer.decode(model.tokenizer.encode(prompt))).toBe(prompt);
		await model.dispose();
		expect(await caught(model.generate(prompt).text())).toMatchObject({code: 'EXL_DISPOSED'});
	});

	it.each(['SIGKILL', 'SIGSEGV', 'SIGTERM'] as const)('by %s while it generates', async signal => {
		const model = await isolated();
		const [pid] = children();
		const stream = model.generate(prompt, {...greedy, maxTokens: 400});
		const read = async () => {
			for await (const _ of stream) if (isUp) isUp = !process.kill(pid!, signal);
		};
		let isUp = true;
		const outcomes = [read(), model.complete(prompt, greedy), stream.result].map(caught);
		for (const outcome of outcomes) expect(await outcome).toMatchObject(exited(signal, 'generate\\(\\)'));
		await model.dispose();
	});

	it('leaves the others alone', async () => {
		await using first = await isolated();
		const [pid] = children();
		await using second = await isolated();
		process.kill(pid!, 'SIGKILL');
		expect((await second.complete(prompt, {...greedy, maxTokens: 50})).completionTokens).toBe(50);
		expect(await caught(first.complete(prompt))).toMatchObject(exited('SIGKILL'));
	});

	it('is not reached by what a terminal sends to all', async () => {
		await using model = await isolated();
		kill('SIGINT');
		kill('SIGHUP');
		await sleep(50);
		expect((await model.complete(prompt, {...greedy, maxTokens: 5})).completionTokens).toBe(5);
	});
});

describe('a parent', () => {
	const loads = `
		const model = await load();
		process.send('loaded');
		endless(model).catch(() => {});
	`;

	it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)('that ends by %s while the child generates', async signal => {
		const parent = await script(loads);
		await messageOf(parent);
		await messageOf(parent);
		const [pid] = children(parent.process.pid);
		expect(isAlive(pid!)).toBe(true);
		parent.process.kill(signal);
		expect(await parent.ended).toMatchObject({signal, stdout: '', stderr: ''});
		expect(await until(() => !isAlive(pid!))).toBe(true);
	});

	it('that gets Ctrl-C with its whole group', async () => {
		const parent = await script(loads, {detached: true});
		await messageOf(parent);
		const [pid] = children(parent.process.pid);
		process.kill(-parent.process.pid!, 'SIGINT');
		expect(await parent.ended).toMatchObject({signal: 'SIGINT', stderr: ''});
		expect(await until(() => !isAlive(pid!))).toBe(true);
	});

	it.each([0, 30, 60, 90])('that is killed %i ms into a load', async ms => {
		const parent = await script('load(); setInterval(() => {}, 1000);');
		let pid: number | undefined;
		await until(() => {
			[pid] = children(parent.process.pid);
			return pid !== undefined;
		});
		await sleep(ms);
		parent.process.kill('SIGKILL');
		await parent.ended;
		expect(await until(() => !isAlive(pid!))).toBe(true);
	});

	it.each([
		['process.exit(3)', 3, /^$/],
		["setTimeout(() => {throw new Error('mine')}, 20)", 1, /Error: mine/],
	])('that ends by %s', async (end, code, stderr) => {
		const parent = await script(`${loads} process.once('message', () => {${end}});`);
		await messageOf(parent);
		await messageOf(parent);
		const [pid] = children(parent.process.pid);
		parent.process.send('end');
		const ended = await parent.ended;
		expect(ended).toMatchObject({code, stderr: expect.stringMatching(stderr)});
		expect(ended.stderr).not.toMatch(/EPIPE|isolate|disconnect/);
		expect(await until(() => !isAlive(pid!))).toBe(true);
	});

	it.each([
		['idle', ''],
		['paused by its reader', "await model.generate('Once', {maxTokens: 400})[Symbol.asyncIterator]().next();"],
	])('is not kept alive by a model that is %s, which is what happens in process', async (_, use) => {
		for (const isolation of ['none', 'process']) {
			const parent = await script(`
				globalThis.model = await load({isolation: '${isolation}'});
				console.log((await model.complete('Once', {maxTokens: 3})).completionTokens);
				${use}
				process.disconnect();
			`);
			const ended = await parent.ended;
			expect(ended, isolation).toEqual({code: 0, signal: null, stdout: '3\n', stderr: ''});
		}
	});

	it('is kept alive by a call in flight and by dispose()', async () => {
		const parent = await script(`
			process.disconnect();
			const model = await load();
			console.log((await model.complete('Once', {maxTokens: 200, temperature: 0})).completionTokens);
			await model.dispose();
			console.log('disposed');
		`);
		expect(await parent.ended).toEqual({code: 0, signal: null, stdout: '200\ndisposed\n', stderr: ''});
	});

	it('says so if there can be no child', async () => {
		const parent = await script(`
			process.disconnect();
			process.execPath = '/nowhere/node';
			await load().catch(error => console.log(error.code, error.message, error.cause.code));
		`);
		const stdout = 'EXL_ISOLATE_EXITED the process of isolate#1 cannot be started: spawn /nowhere/node ENOENT ENOENT\n';
		expect(await parent.ended).toEqual({code: 0, signal: null, stdout, stderr: ''});
	});

	it('may be debugged, and may be a worker', async () => {
		const parent = await script(`
			process.disconnect();
			const {Worker} = require('node:worker_threads');
			const code = \`
				const {loadModel} = require(\${JSON.stringify(require.resolve('${process.cwd()}/dist/index.js'))});
				(async () => {
					const model = await loadModel(${JSON.stringify(JSON.stringify(directory)).slice(1, -1)}, {isolation: 'process'});
					console.log((await model.complete('Once', {maxTokens: 3})).completionTokens);
					if (process.env.KEEP) setInterval(() => {}, 1000);
				})();
			\`;
			const once = require('node:events').once;
			// Of this process, so it is inherited, and not of the worker.
			process.env.NODE_OPTIONS = '--no-warnings --inspect-brk=127.0.0.1:0';
			console.log(await once(new Worker(code, {eval: true}), 'exit'));
			delete process.env.NODE_OPTIONS;
			const worker = new Worker(code, {eval: true, env: {...process.env, KEEP: '1'}, stdout: true});
			await once(worker.stdout, 'data');
			await worker.terminate();
			console.log('terminated');
		`);
		expect(await parent.ended).toEqual({code: 0, signal: null, stdout: '3\n[ 0 ]\nterminated\n', stderr: ''});
	});
});

it('is ended and reported when it is dropped without dispose()', async () => {
	const reports: LeakReport[] = [];
	const listen = (report: LeakReport) => reports.push(report);
	on('leak', listen);
	try {
		const use = async (): Promise<void> => {
			const model: Model = await loadModel(directory, {isolation: 'process', threads: 1});
			expect((await model.complete(prompt, {...greedy, maxTokens: 3})).completionTokens).toBe(3);
			for await (const _ of model.generate(prompt, {...greedy, maxTokens: 20}));
		};
		await use();
		expect(children()).toHaveLength(1);
		for (let i = 0; i < 50 && reports.length === 0; i++) {
			globalThis.gc!();
			await immediate();
			await sleep(10);
		}
		expect(reports).toEqual([{kind: 'Model', name: expect.stringMatching(/^isolate#\d+$/), bytes: expect.any(Number)}]);
		expect(reports[0]!.bytes).toBeGreaterThan(100_000);
		expect(await until(() => children().length === 0)).toBe(true);
	} finally {
		off('leak', listen);
	}
});
