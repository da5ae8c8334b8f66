import {type ChildProcess, execFileSync, fork, spawn} from 'node:child_process';
import {once} from 'node:events';
import {cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll} from 'vitest';
import {loadModel, type Model} from '../../lib/isolate/index.js';
import type {LoadOptions} from '../../lib/options/index.js';
import {modelsDirectory, temporaryDirectory} from '../support/directory.js';

/** A model that goes on until its context is full. */
export const directory = mkdtempSync(join(tmpdir(), 'node-exllama-'));
cpSync(join(modelsDirectory, 'tinystories-656k-exl2'), directory, {recursive: true});
for (const [name, change] of Object.entries({
	'config.json': {eos_token_id: null},
	'tokenizer_config.json': {eos_token: null},
	'generation_config.json': {eos_token_id: undefined},
})) {
	const file = join(directory, name);
	writeFileSync(file, JSON.stringify({...JSON.parse(readFileSync(file, 'utf8')), ...change}));
}
afterAll(() => rmSync(directory, {recursive: true, force: true}));

export const prompt = 'Once upon a time';
export const greedy = {temperature: 0, repetitionPenalty: 1} as const;

export const isolated = (options: LoadOptions = {}, name = directory): Promise<Model> =>
	loadModel(name, {device: 'cpu', threads: 1, isolation: 'process', ...options});

/** Without what a sanitizer preloads, which hangs `ps`. */
function ps(...args: string[]): string {
	return execFileSync('ps', args, {encoding: 'utf8', env: {...process.env, LD_PRELOAD: ''}});
}

/** Processes that run a model for `parent`. A zombie holds nothing any more. */
export function children(parent = process.pid): number[] {
	const list = ps('-A', '-o', 'pid=,ppid=,stat=,args=');
	return list.split('\n').flatMap(line => {
		const [pid, ppid, state, ...args] = line.trim().split(/\s+/);
		const isChild = Number(ppid) === parent && !state!.startsWith('Z') && args.join(' ').includes('isolate/child.js');
		return isChild ? [Number(pid)] : [];
	});
}

export function isAlive(pid: number): boolean {
	try {
		return !ps('-p', String(pid), '-o', 'stat=').startsWith('Z');
	} catch {
		return false;
	}
}

/** Waits until `condition` holds, at most `ms` milliseconds. */
export async function until(condition: () => boolean, ms = 2000): Promise<boolean> {
	for (const end = performance.now() + ms; performance.now() < end; ) {
		if (condition()) return true;
		await sleep(20);
	}
	return condition();
}

export const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

export const caught = (promise: Promise<unknown>): Promise<unknown> =>
	promise.then(
		() => 'no error',
		(error: unknown) => error,
	);

export type Script = {readonly process: ChildProcess; readonly ended: Promise<Ended>};
export type Ended = {code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string};

/** A program that uses what was built: `load()` gives an isolated model. */
export async function script(body: string, {detached = false} = {}): Promise<Script> {
	const file = join(await temporaryDirectory(), 'script.cjs');
	const index = JSON.stringify(join(modelsDirectory, '../dist/index.js'));
	await writeFile(
		file,
		`
		const {loadModel, memory} = require(${index});
		const load = options => loadModel(${JSON.stringify(directory)}, {threads: 1, isolation: 'process', ...options});
		const endless = async model => {
			for (;;) for await (const chunk of model.generate('Once', {temperature: 1})) process.send?.('chunk');
		};
		(async () => {${body}})();
		`,
	);
	const child = detached
		? spawn(process.execPath, [file], {detached, stdio: ['ignore', 'pipe', 'pipe', 'ipc']})
		: fork(file, [], {stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: []});
	const output = {stdout: '', stderr: ''};
	for (const name of ['stdout', 'stderr'] as const) {
		child[name]!.setEncoding('utf8').on('data', text => {
			output[name] += text;
		});
	}
	const ended = once(child, 'close').then(([code, signal]) => ({code, signal, ...output}));
	return {process: child, ended};
}

export async function messageOf({process: child}: Script): Promise<unknown> {
	const [message] = await once(child, 'message');
	return message;
}
