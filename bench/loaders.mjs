// @ts-check

// The three loaders side by side: how long a load takes from the disk (cold) and from the page cache (warm), how much
// of the file is in the page cache afterwards, and how far resident memory rises. Each load has a process of its own.
// Linux only; cold needs `dd`, and the page cache is looked at with `fincore` of util-linux.
//
//   node bench/loaders.mjs [MODEL] [--times 5] [--json]
//
// Without MODEL: a random EXL2 model of about 310 MB.

import {execFileSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {loadModel} from 'node-exllama';
import {writeRandomModel} from './random-model.mjs';
import {median, table} from './table.mjs';

/** @typedef {'direct' | 'buffered' | 'mmap'} Loader */
/** @typedef {{loader: Loader, milliseconds: number, peak: number}} Load */

const {values, positionals} = parseArgs({
	allowPositionals: true,
	options: {times: {type: 'string', default: '5'}, child: {type: 'string'}, json: {type: 'boolean'}},
});

/** Bytes of a field of /proc/self/status. @param {'VmHWM' | 'VmRSS'} field */
function status(field) {
	const kilobytes = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
	return Number(kilobytes) * 1024;
}

/** @param {string} directory @param {Loader} loader @returns {Promise<Load>} */
async function load(directory, loader) {
	// A tiny model first, so that code and threads are there before the count begins.
	const tiny = await loadModel(fileURLToPath(new URL('../models/tinystories-656k-exl2', import.meta.url)), {loader});
	await tiny.dispose();

	const before = status('VmRSS');
	const started = performance.now();
	const model = await loadModel(directory, {loader});
	const milliseconds = performance.now() - started;
	const peak = status('VmHWM') - before;
	await model.dispose();
	return {loader: model.loader, milliseconds, peak};
}

/** @param {string} directory @param {Loader} loader @returns {Load} */
function loadInChild(directory, loader) {
	const args = [fileURLToPath(import.meta.url), directory, '--child', loader];
	return JSON.parse(execFileSync(process.execPath, args, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']}));
}

/** Drops a file from the page cache. @param {string} file */
function evict(file) {
	execFileSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none']);
}

/** Bytes of a file in the page cache. @param {string} file */
function cached(file) {
	return Number(execFileSync('fincore', ['--noheadings', '--bytes', '--output', 'RES', file], {encoding: 'utf8'}));
}

if (values.child) {
	console.log(JSON.stringify(await load(positionals[0] ?? '', /** @type {Loader} */ (values.child))));
} else {
	const temporary = mkdtempSync(join(tmpdir(), 'node-exllama-bench-'));
	try {
		const directory = positionals[0] ?? join(temporary, 'random');
		if (positionals.length === 0) await writeRandomModel(directory, {shape: '460m'});
		const files = readdirSync(directory)
			.filter(name => name.endsWith('.safetensors'))
			.map(name => join(directory, name));
		const results = [];
		for (const loader of /** @type {const} */ (['direct', 'buffered', 'mmap'])) {
			for (const start of ['cold', 'warm']) {
				/** @type {Load[]} */
				const loads = [];
				let left = 0;
				for (let i = 0; i < Number(values.times); i++) {
					for (const file of files) {
						if (start === 'cold') evict(file);
						else readFileSync(file);
					}
					loads.push(loadInChild(directory, loader));
					left = files.reduce((sum, file) => sum + cached(file), 0);
				}
				const milliseconds = median(loads.map(each => each.milliseconds));
				const peak = Math.max(...loads.map(each => each.peak));
				results.push({loader, used: loads[0]?.loader ?? loader, start, milliseconds, left, peak});
			}
		}
		if (values.json) console.log(JSON.stringify(results));
		else {
			const mib = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(1);
			const rows = results.map(({loader, used, start, milliseconds, left, peak}) => [
				loader === used ? loader : `${loader}, used ${used}`,
				start,
				milliseconds.toFixed(0),
				mib(left),
				mib(peak),
			]);
			console.log(table([['loader', 'file', 'ms', 'cached after, MiB', 'peak, MiB'], ...rows]));
		}
	} finally {
		rmSync(temporary, {recursive: true, force: true});
	}
}
