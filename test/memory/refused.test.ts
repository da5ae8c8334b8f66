import {execFileSync, spawnSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {modelsDirectory, temporaryDirectory} from '../support/directory.js';
import {tinyModel, writeTinyModel} from '../support/tiny-model.js';

// What happens where the system has nothing more to give: refuse.c makes it refuse any one call of the addon.

const built = join(modelsDirectory, '../dist/index.js');

const reason = (() => {
	if (process.platform !== 'linux') return 'the interposer is for Linux';
	if (process.env.EXL_SANITIZE) return 'a sanitizer interposes itself';
	return spawnSync('cc', ['--version']).status === 0 ? undefined : 'there is no C compiler';
})();

type Outcome = {readonly failures: Record<string, number>; readonly messages: string[]; readonly calls: number};

const quantised = join(modelsDirectory, 'tinystories-656k-exl2');

/** Large enough for a loader to have helpers. */
async function largeModel(): Promise<string> {
	const directory = await temporaryDirectory();
	await writeTinyModel(tinyModel({layers: 1, vocabulary: 20_000}), directory);
	return directory;
}

/** In the order of refuse.c. */
const kinds = ['heap', 'thread', 'mapping', 'file'] as const;

describe.skipIf(reason)(`what the system refuses${reason ? ` (skipped: ${reason})` : ''}`, () => {
	/** Uses a model again and again, each time with another call refused, `tries` in all. */
	async function refuse(
		kind: (typeof kinds)[number],
		burst: number,
		tries: number,
		options: object,
		model = quantised,
	): Promise<Outcome> {
		const directory = await temporaryDirectory();
		const library = join(directory, 'refuse.so');
		const list = join(directory, 'list');
		writeFileSync(list, Buffer.alloc(kinds.length * 24));
		execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, join(__dirname, 'refuse.c'), '-ldl', '-pthread']);
		const program = `
			const {writeSync, readSync, openSync} = require('node:fs');
			const {loadModel, memory, isExlError, ops, Tensor, KvCache} = require(${JSON.stringify(built)});
			const list = openSync(${JSON.stringify(list)}, 'r+');
			const at = ${24 * kinds.indexOf(kind)};
			const refuse = (first, end) => writeSync(list, new BigInt64Array([0n, BigInt(first), BigInt(end)]), 0, 24, at);
			function calls() {
				const count = new BigInt64Array(1);
				readSync(list, count, 0, 8, at);
				return Number(count[0]);
			}
			async function use() {
				const open = [];
				try {
					const options = {cache: {tokens: 256}, ...${JSON.stringify(options)}};
					const model = await loadModel(${JSON.stringify(model)}, options);
					open.push(model);
					const made = model.complete([1, 2, 3], {maxTokens: 3, temperature: 0, topLogprobs: 2, repetitionPenalty: 1.1});
					const [{tokenIds}, {meanNll}] = await Promise.all([made, model.score([1, 2, 3])]);
					const x = Tensor.from(new Float32Array(8).fill(1), [1, 1, 8]);
					open.push(x);
					const cache = new KvCache({tokens: 1, keyHeads: 1, headDim: 8});
					open.push(cache);
					await cache.append(x, x);
					const y = await ops.attention(x, cache);
					open.push(y);
					return String(tokenIds) + meanNll + (await y.read());
				} finally {
					for (const each of open) await each.dispose();
				}
			}
			(async () => {
				refuse(-1, -1);
				const wanted = await use();
				const total = calls();
				const failures = {}, messages = new Set();
				const tries = Math.min(${tries}, total);
				for (let i = 0; i < tries; i++) {
					const first = Math.floor((i * total) / tries);
					refuse(first, first + ${burst});
					let code = 'none';
					await use().then(
						text => { if (text !== wanted) throw new Error('another text'); },
						error => {
							if (!isExlError(error)) throw error;
							code = error.code;
							messages.add(error.message);
						},
					);
					failures[code] = (failures[code] ?? 0) + 1;
					refuse(-1, -1);
					const held = memory.liveBuffers();
					if (held.length > 0) throw new Error('still held after ' + first + ': ' + JSON.stringify(held));
				}
				if (await use() !== wanted) throw new Error('another text afterwards');
				console.log(JSON.stringify({failures, messages: [...messages], calls: total}));
			})();
		`;
		const env = {
			...process.env,
			EXL_REFUSE: list,
			LD_PRELOAD: [process.env.LD_PRELOAD, library].filter(Boolean).join(':'),
		};
		const ended = spawnSync(process.execPath, ['-e', program], {env, encoding: 'utf8'});
		expect({signal: ended.signal, stderr: ended.stderr}).toEqual({signal: null, stderr: ''});
		return JSON.parse(ended.stdout);
	}

	it.each([1, 1000])('memory of the heap, %d times', async burst => {
		const {failures, calls} = await refuse('heap', burst, 80, {threads: 3});
		expect(calls).toBeGreaterThan(1000);
		expect(
			Object.keys(failures).every(code => code === 'none' || code === 'EXL_OUT_OF_MEMORY'),
			JSON.stringify(failures),
		).toBe(true);
		expect(failures['EXL_OUT_OF_MEMORY']).toBeGreaterThan(40);
	});

	it.each([1, 1000])('threads, %d times', async burst => {
		const {failures, messages, calls} = await refuse('thread', burst, 100, {threads: 8}, await largeModel());
		// The helpers of the loader are nobody's loss.
		expect(calls).toBeGreaterThan(8);
		expect(Object.keys(failures).sort()).toEqual(burst === 1 ? ['EXL_OUT_OF_MEMORY', 'none'] : ['EXL_OUT_OF_MEMORY']);
		expect(messages).toContain(
			'the system has no thread for a device: number 1 of 1 could not be started (Resource temporarily unavailable); ' +
				"use fewer `threads`, or raise the limit of processes (ulimit -u, or the container's)",
		);
		expect(messages.some(message => /no thread to compute with: number [2-8] of 8 could not/.test(message))).toBe(true);
	});

	it.each(['direct', 'buffered', 'mmap'])('pages, with the loader %s', async loader => {
		const {failures, messages, calls} = await refuse('mapping', 1, 60, {threads: 2, loader});
		expect(calls).toBeGreaterThan(20);
		expect(Object.keys(failures).every(code => code === 'none' || code === 'EXL_OUT_OF_MEMORY')).toBe(true);
		expect(failures['EXL_OUT_OF_MEMORY']).toBeGreaterThan(10);
		expect(
			messages.every(message => /^no memory for \d+ bytes of \w+/.test(message)),
			messages.join('\n'),
		).toBe(true);
	});

	it('open files of the process', async () => {
		const program = `
			const {closeSync, openSync, readdirSync} = require('node:fs');
			const {loadModel, listDevices} = require(${JSON.stringify(built)});
			listDevices();
			const free = Number(process.argv[1]);
			const taken = [];
			try {
				for (;;) taken.push(openSync('/dev/null'));
			} catch {}
			for (let i = 0; i < free; i++) closeSync(taken.pop());
			loadModel(${JSON.stringify(quantised)}, {threads: 1, device: 'cpu'}).then(
				async model => {
					for (const file of taken) closeSync(file);
					await model.dispose();
					console.log('runs');
				},
				error => console.log(error.code, error.message),
			);
		`;
		for (const free of [0, 1, 3]) {
			const shell = `ulimit -n 64; exec "$0" -e "$PROGRAM" ${free}`;
			const env = {...process.env, PROGRAM: program};
			const {stdout, stderr} = spawnSync('bash', ['-c', shell, process.execPath], {env, encoding: 'utf8'});
			expect({free, stdout, stderr}).toEqual({
				free,
				stdout: expect.stringMatching(
					/^(?:runs|EXL_OUT_OF_MEMORY .*too many (?:open files|files are open).*ulimit -n.*)\n$/i,
				),
				stderr: '',
			});
			if (free === 0) expect(stdout).toMatch(/^EXL_OUT_OF_MEMORY/);
		}
	});

	it('open files', async () => {
		// The first open of a direct loader is tried again without.
		const {failures, messages} = await refuse('file', 2, 100, {threads: 2});
		expect(Object.keys(failures)).toContain('EXL_OUT_OF_MEMORY');
		expect(messages).toEqual([
			expect.stringMatching(/^cannot open .*\.safetensors: Too many open files; close some files, or raise the limit/),
		]);
	});
});
