import {spawnSync} from 'node:child_process';
import {chmod, cp, open, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {modelsDirectory, temporaryDirectory} from '../support/directory.js';

// What a model needs of the system besides memory: files that may be opened. Each life is a process of its own.

const built = JSON.stringify(join(modelsDirectory, '../dist/index.js'));

/** A copy of the tiny model that others may read. */
async function model(): Promise<string> {
	const directory = await temporaryDirectory();
	await cp(join(modelsDirectory, 'tinystories-656k-exl2'), directory, {recursive: true});
	await chmod(directory, 0o755);
	return directory;
}

async function life(body: string, {stderr = 'pipe', env = {}}: {stderr?: number | 'pipe'; env?: object} = {}) {
	const file = join(await temporaryDirectory(), 'life.cjs');
	await writeFile(
		file,
		`const exl = require(${built});
		const fs = require('node:fs');
		const told = error => error.name === 'ExlError' ? error.code + ': ' + error.message : 'not typed: ' + error.stack;
		const load = (directory, options) => exl.loadModel(directory, {device: 'cpu', threads: 1, ...options});
		const attempt = async call => {
			try {
				const made = await call();
				await made.dispose?.();
				return 'fine';
			} catch (error) {
				return told(error);
			}
		};
		process.on('unhandledRejection', error => { console.log(JSON.stringify('unhandled ' + error)); process.exit(3); });
		(async () => {${body}})();`,
	);
	const {status, stdout} = spawnSync(process.execPath, [file], {
		stdio: ['ignore', 'pipe', stderr],
		encoding: 'utf8',
		env: {...process.env, ...env},
	});
	expect(status, stdout).toBe(0);
	return stdout
		.trim()
		.split('\n')
		.map(line => JSON.parse(line));
}

test.skipIf(process.platform !== 'linux')('no more files can be opened (needs ulimit)', async () => {
	const directory = await model();
	const body = `
		await (await load(${JSON.stringify(directory)})).dispose();
		for (let left = 0; left < 6; left++) {
			const held = [];
			try {
				for (;;) held.push(fs.openSync('/dev/null'));
			} catch {}
			for (const one of held.splice(0, left)) fs.closeSync(one);
			const outcomes = [];
			for (const isolation of ['none', 'process']) {
				outcomes.push(await attempt(() => load(${JSON.stringify(directory)}, {isolation})));
			}
			outcomes.push(await attempt(() => exl.inspectModel(${JSON.stringify(directory)})));
			outcomes.push(await attempt(() => exl.inspectModel('org/name')));
			for (const one of held) fs.closeSync(one);
			console.log(JSON.stringify(outcomes));
		}
		console.log(JSON.stringify([await attempt(() => load(${JSON.stringify(directory)}))]));`;
	const file = join(await temporaryDirectory(), 'limited');
	await writeFile(file, `#!/bin/sh\nulimit -n 96\nexec "${process.execPath}" "$@"\n`, {mode: 0o755});
	const lines = await limited(file, body);
	expect(lines).toHaveLength(7);
	const known =
		/^(?:fine|EXL_OUT_OF_MEMORY: .*too many (?:open )?files?.*|EXL_MODEL_NOT_FOUND: .*Too many open files.*|EXL_ISOLATE_EXITED: .*|EXL_MODEL_NOT_FOUND: No model "org\/name".*)/s;
	for (const outcome of lines.flat()) expect(outcome).toMatch(known);
	const advice = 'too many files are open; close some, or raise the limit of open files (ulimit -n)';
	for (const outcome of lines[0]) expect(outcome).toContain(advice);
	expect(lines.at(-1)).toEqual(['fine']);

	async function limited(node: string, script: string) {
		const before = process.execPath;
		process.execPath = node;
		try {
			return await life(script);
		} finally {
			process.execPath = before;
		}
	}
});

test.skipIf(process.platform === 'win32')('a file that this user may not read', async () => {
	const lines = await life(`
		const directories = ${JSON.stringify(await Promise.all(['config.json', 'tokenizer.json', 'output.safetensors', '.'].map(locked)))};
		// Nothing is locked for root.
		if (process.getuid() === 0) process.setuid(65534);
		for (const directory of directories) {
			console.log(JSON.stringify([await attempt(() => load(directory)), await attempt(() => load(directory, {isolation: 'process'}))]));
		}`);
	for (const [i, name] of ['config.json', 'tokenizer.json', 'output.safetensors', ''].entries()) {
		for (const outcome of lines[i]) {
			expect(outcome).toMatch(/^EXL_MODEL_NOT_FOUND: /);
			expect(outcome).toContain(name);
			expect(outcome).toMatch(/permission denied; let this user read it/);
		}
	}

	async function locked(name: string): Promise<string> {
		const directory = await model();
		await chmod(join(directory, name), 0);
		return directory;
	}
});

describe.skipIf(process.platform !== 'linux')('EXL_LOG does not end the process (needs /dev/full)', () => {
	test('where the disk of stderr is full', async () => {
		const full = await open('/dev/full', 'w');
		try {
			const directory = JSON.stringify(await model());
			const body = `console.log(JSON.stringify(await attempt(() => exl.loadModel(${directory}, {threads: 1}))));`;
			expect(await life(body, {stderr: full.fd, env: {EXL_LOG: 'device,memory'}})).toEqual(['fine']);
		} finally {
			await full.close();
		}
	});
});
