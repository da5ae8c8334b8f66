// @ts-check

// How much more memory does loading a model take than having it loaded? A child process loads it; the kernel's own high
// water mark of resident memory is read from /proc (Linux only). Bar: the peak stays below the memory at the end of
// loading plus 256 MiB.
//
//   node bench/load-memory.mjs [MODEL] [--threads N] [--json]
//
// Without MODEL: a random EXL2 model of about 310 MB.

import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {loadModel, memory} from 'node-exllama';
import {writeRandomModel} from './random-model.mjs';
import {table} from './table.mjs';

const bar = 256 * 2 ** 20;

const {values, positionals} = parseArgs({
	allowPositionals: true,
	options: {threads: {type: 'string'}, json: {type: 'boolean'}, child: {type: 'boolean'}},
});

/** Bytes of a field of /proc/self/status. @param {'VmHWM' | 'VmRSS'} field */
function status(field) {
	const kilobytes = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
	return Number(kilobytes) * 1024;
}

/** @param {string} directory */
async function measure(directory) {
	// A tiny model first, so that code and threads are there before the count begins.
	const threads = values.threads === undefined ? undefined : Number(values.threads);
	const tiny = await loadModel(fileURLToPath(new URL('../models/tinystories-656k-exl2', import.meta.url)), {threads});
	await tiny.dispose();

	const before = status('VmRSS');
	const started = performance.now();
	const model = await loadModel(directory, {threads});
	const milliseconds = performance.now() - started;
	const peak = status('VmHWM');
	const after = status('VmRSS');
	const {weights, cache, activations} = /** @type {any} */ (memory.snapshot().devices)[model.device].byKind;
	await model.dispose();
	return {milliseconds, before, peak, after, disposed: status('VmRSS'), weights, cache, activations};
}

/** In a process of its own, whose peak nothing else has raised. @param {string} directory */
function measureInChild(directory) {
	const args = [fileURLToPath(import.meta.url), directory, '--child'];
	if (values.threads !== undefined) args.push('--threads', values.threads);
	return JSON.parse(execFileSync(process.execPath, args, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']}));
}

if (values.child) {
	console.log(JSON.stringify(await measure(positionals[0] ?? '')));
} else {
	const temporary = mkdtempSync(join(tmpdir(), 'node-exllama-bench-'));
	try {
		const directory = positionals[0] ?? join(temporary, 'random');
		if (positionals.length === 0) await writeRandomModel(directory, {shape: '460m'});
		const result = measureInChild(directory);
		const {before, peak, after, weights, cache, activations, disposed, milliseconds} = result;
		const rows = {
			'before loading': before,
			'peak while loading': peak,
			'after loading': after,
			'after dispose': disposed,
			weights,
			cache,
			activations,
			'peak - after': peak - after,
			'peak - before - weights': peak - before - weights,
		};
		if (values.json) console.log(JSON.stringify(result));
		else {
			const mebibytes = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(1);
			console.log(table([['', 'MiB'], ...Object.entries(rows).map(([name, bytes]) => [name, mebibytes(bytes)])]));
			console.log(`loaded in ${milliseconds.toFixed(0)} ms`);
		}
		// The cache and activations are reserved, but their pages are resident only once they are used.
		const over = peak - before - weights;
		console.error(over < bar ? 'ok: peak below weights + 256 MiB' : 'missed: peak above weights + 256 MiB');
		if (over >= bar) process.exitCode = 1;
	} finally {
		rmSync(temporary, {recursive: true, force: true});
	}
}
