import {execFileSync, spawnSync} from 'node:child_process';
import {constants} from 'node:fs';
import {cp, open} from 'node:fs/promises';
import {join} from 'node:path';
import {afterEach, describe, expect, it} from 'vitest';
import {writeRandomModel} from '../../bench/random-model.mjs';
import {loadModel} from '../../lib/model/index.js';
import {modelsDirectory, temporaryDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';

const loaders = ['direct', 'buffered', 'mmap'] as const;
const names = ['stories260k-hf', 'tinystories-656k', 'tinystories-656k-exl2', 'tinystories-656k-gptq'];

keepDevicesOpen();
afterEach(expectNothingHeld);

/** Writes a file's pages to disk and drops them from the page cache. */
function evict(file: string): void {
	const flags = ['oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none'];
	execFileSync('dd', [`of=${file}`, ...flags]);
}

/** Pages of a file in the page cache. */
function residentPages(file: string): number {
	return Number(execFileSync('fincore', ['--noheadings', '--output', 'PAGES', file], {encoding: 'utf8'}));
}

const hasFincore = spawnSync('fincore', ['--version']).status === 0;

/** Whether the file system of a file has direct reads. */
async function takesDirect(file: string): Promise<boolean> {
	return open(file, constants.O_RDONLY | constants.O_DIRECT).then(
		async handle => {
			await handle.close();
			return true;
		},
		() => false,
	);
}

describe.each(['cpu', 'reference'] as const)('all loaders on %s', device => {
	it.each(names)('read %s to the last bit', async name => {
		const logits: Float32Array[] = [];
		for (const loader of loaders) {
			await using model = await loadModel(join(modelsDirectory, name), {device, loader, threads: 2});
			logits.push((await model.logits([1, 80, 3, 200, 7])) as Float32Array);
		}
		expect(logits[0]!.length).toBeGreaterThan(500);
		for (const other of logits.slice(1))
			expect(Buffer.from(other.buffer).equals(Buffer.from(logits[0]!.buffer))).toBe(true);
	});
});

describe.skipIf(!hasFincore)(`the page cache${hasFincore ? '' : ' (skipped: there is no fincore)'}`, () => {
	it.each(['direct', 'buffered'] as const)('keeps nothing of a model that %s has read', async loader => {
		const directory = await temporaryDirectory();
		await writeRandomModel(directory, {shape: '130m'});
		const file = join(directory, 'model.safetensors');
		evict(file);
		expect(residentPages(file)).toBe(0);
		const model = await loadModel(directory, {device: 'cpu', loader});
		expect(model.loader).toBe(loader === 'direct' && (await takesDirect(file)) ? 'direct' : 'buffered');
		expect(residentPages(file)).toBe(0);
		await model.dispose();
		expect(residentPages(file)).toBe(0);
	});

	it('keeps what mmap has read, for other processes', async () => {
		const directory = await temporaryDirectory();
		await cp(join(modelsDirectory, 'tinystories-656k'), directory, {recursive: true});
		const file = join(directory, 'model.safetensors');
		evict(file);
		await using model = await loadModel(directory, {device: 'cpu', loader: 'mmap'});
		await model.logits([1, 80, 3]);
		expect(model.loader).toBe('mmap');
		expect(residentPages(file)).toBeGreaterThan(0);
	});
});

/** Preloaded into a process, this makes every file system refuse direct reads. */
const refusal = `
	#define _GNU_SOURCE
	#include <dlfcn.h>
	#include <errno.h>
	#include <fcntl.h>
	#include <stdarg.h>
	static int forward(const char* name, const char* path, int flags, int mode) {
		if (flags & O_DIRECT) return errno = EINVAL, -1;
		return ((int (*)(const char*, int, int))dlsym(RTLD_NEXT, name))(path, flags, mode);
	}
	#define HOOK(name) int name(const char* path, int flags, ...) { \\
		va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \\
		return forward(#name, path, flags, mode); }
	HOOK(open)
	HOOK(open64)
`;

const reason =
	process.platform !== 'linux'
		? 'the refusal is for Linux'
		: spawnSync('cc', ['--version']).status === 0
			? undefined
			: 'there is no C compiler';

it.skipIf(reason)(
	`direct becomes buffered where the file system refuses${reason ? ` (skipped: ${reason})` : ''}`,
	async () => {
		const directory = await temporaryDirectory();
		const library = join(directory, 'refuse.so');
		const compile = ['-shared', '-fPIC', '-x', 'c', '-', '-x', 'none', '-o', library, '-ldl'];
		execFileSync('cc', compile, {input: refusal});
		const from = join(modelsDirectory, 'tinystories-656k-exl2');
		const child = `
		const {loadModel} = require(${JSON.stringify(join(modelsDirectory, '../dist/index.js'))});
		(async () => {
			const model = await loadModel(${JSON.stringify(from)}, {device: 'cpu', threads: 2});
			console.log(JSON.stringify({loader: model.loader, logits: [...await model.logits([1, 80, 3])]}));
			await model.dispose();
		})();
	`;
		const env = {...process.env, LD_PRELOAD: [process.env.LD_PRELOAD, library].filter(Boolean).join(':')};
		const refused = JSON.parse(execFileSync(process.execPath, ['-e', child], {env, encoding: 'utf8'}));
		await using model = await loadModel(from, {device: 'cpu', threads: 2});
		expect(refused).toEqual({loader: 'buffered', logits: [...(await model.logits([1, 80, 3]))]});
	},
);
