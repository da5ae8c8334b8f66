// @ts-check

// Does memory come back, every time? Loads a model, generates, disposes, over and over, each model in a process of its
// own. After each cycle the ledger must be empty; over all of them resident memory, file descriptors and threads must
// stay where they are. Linux only.
//
//   npm run soak [-- --small 1000 --large 50 --json]

import {execFileSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {loadModel, memory, Tensor} from 'node-exllama';
import {writeRandomModel} from './random-model.mjs';
import {median, table} from './table.mjs';

const mebibyte = 2 ** 20;
const small = fileURLToPath(new URL('../models/tinystories-656k-exl2', import.meta.url));

const {values, positionals} = parseArgs({
	allowPositionals: true,
	options: {
		small: {type: 'string', default: '1000'},
		large: {type: 'string', default: '50'},
		json: {type: 'boolean'},
		child: {type: 'boolean'},
	},
});

/** Bytes of a field of /proc/self/status. @param {'VmHWM' | 'VmRSS'} field */
function status(field) {
	const kilobytes = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
	return Number(kilobytes) * 1024;
}

const count = (/** @type {string} */ folder) => readdirSync(folder).length;

/** Once V8 has collected, and the threads that end have ended. */
async function settle() {
	for (let i = 0; i < 3; i++) {
		globalThis.gc?.();
		await sleep(1);
	}
}

/** @param {string} directory */
async function cycle(directory) {
	const model = await loadModel(directory, {cache: {tokens: 512}});
	for await (const _ of model.generate('Once upon a time', {maxTokens: 8, seed: 1}));
	const loaded = memory.snapshot().devices['cpu']?.allocated ?? 0;
	// Nothing is left to be seen of a device that has closed, so this keeps it open.
	const witness = Tensor.zeros([1]);
	await model.dispose();
	const left = memory.liveBuffers().length - 1;
	witness.dispose();
	const after = memory.snapshot().devices['cpu'];
	const held = (after?.allocated ?? 0) + (after?.reserved ?? 0);
	return {loaded, left: left + held};
}

/** @param {string} directory @param {number} cycles @param {number} warmUp cycles before resident memory is compared */
async function soak(directory, cycles, warmUp) {
	// The first load brings code and threads; what the process has before the second is what it must come back to.
	await cycle(directory);
	await settle();
	const files = count('/proc/self/fd');
	const threads = count('/proc/self/task');
	const before = status('VmRSS');
	const result = {cycles, loaded: 0, unclean: 0, files: 0, threads: 0, before};
	/** @type {number[]} */
	const resident = [];
	const started = performance.now();
	for (let i = 1; i <= cycles; i++) {
		const {loaded, left} = await cycle(directory);
		result.loaded = loaded;
		if (loaded === 0 || left !== 0) result.unclean++;
		if (i % 10 === 0 || cycles <= 100) {
			await settle();
			result.files = Math.max(result.files, Math.abs(count('/proc/self/fd') - files));
			result.threads = Math.max(result.threads, Math.abs(count('/proc/self/task') - threads));
			if (i >= warmUp) resident.push(status('VmRSS'));
		}
	}
	// V8's heap comes and goes by some MiB, so that a single reading says little; a leak moves all of them.
	const few = Math.min(10, Math.ceil(resident.length / 2));
	const warm = median(resident.slice(0, few));
	const after = median(resident.slice(-few));
	return {...result, warm, after, highest: Math.max(...resident), milliseconds: (performance.now() - started) / cycles};
}

/** How resident memory goes up with the first load of a model, and down after the second. @param {string} directory */
async function once(directory) {
	await cycle(small);
	await settle();
	const start = status('VmRSS');
	const first = await loadModel(directory);
	const peak = status('VmHWM');
	await first.dispose();
	await settle();
	const before = status('VmRSS');
	await cycle(directory);
	await settle();
	return {start, peak, before, after: status('VmRSS')};
}

/** @param {string[]} args @param {string[]} flags */
function inChild(args, flags = []) {
	const all = ['--expose-gc', ...flags, fileURLToPath(import.meta.url), '--child', ...args];
	return JSON.parse(execFileSync(process.execPath, all, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']}));
}

if (values.child) {
	const [what, directory = '', cycles, warmUp] = positionals;
	const result = what === 'once' ? once(directory) : soak(directory, Number(cycles), Number(warmUp));
	console.log(JSON.stringify(await result));
} else {
	const temporary = mkdtempSync(join(tmpdir(), 'node-exllama-soak-'));
	try {
		const large = join(temporary, 'large');
		await writeRandomModel(large, {shape: '460m'});
		const fileBytes = statSync(join(large, 'model.safetensors')).size;
		// V8 lets its young generation grow to 32 MiB over the first few loads and keeps it: here it must not.
		const loaded = inChild(['once', large], ['--max-semi-space-size=1']);
		const runs = [
			{name: 'small', bar: 2, ...inChild(['soak', small, values.small, '100'])},
			{name: 'large', bar: 8, ...inChild(['soak', large, values.large, '5'])},
		];

		/** What was measured, in MiB or a count, and the most it may be. @type {[string, number, number][]} */
		const bars = [
			['peak while loading - file', (loaded.peak - loaded.start - fileBytes) / mebibyte, 128],
			['resident after dispose - before', (loaded.after - loaded.before) / mebibyte, 8],
			...runs.flatMap(({name, bar, unclean, files, threads, warm, after}) => [
				/** @type {[string, number, number]} */ ([`${name}: cycles that left something`, unclean, 0]),
				/** @type {[string, number, number]} */ ([
					`${name}: growth of resident memory`,
					(after - warm) / mebibyte,
					bar,
				]),
				/** @type {[string, number, number]} */ ([`${name}: file descriptors`, files, 0]),
				/** @type {[string, number, number]} */ ([`${name}: threads`, threads, 0]),
			]),
		];
		if (values.json) console.log(JSON.stringify({fileBytes, loaded, runs}));
		else {
			const mib = (/** @type {number} */ bytes) => (bytes / mebibyte).toFixed(1);
			const rows = runs.map(run => [
				run.name,
				String(run.cycles),
				mib(run.loaded),
				...[run.before, run.warm, run.highest, run.after].map(mib),
				run.milliseconds.toFixed(0),
			]);
			console.log('Resident memory in MiB:');
			console.log(table([['model', 'cycles', 'ledger', 'before', 'warm', 'highest', 'after', 'ms/cycle'], ...rows]));
			console.log();
			console.log(
				table([['', '', 'at most'], ...bars.map(([name, value, bar]) => [name, value.toFixed(1), String(bar)])]),
			);
		}
		const missed = bars.filter(([, value, bar]) => !(value <= bar));
		for (const [name, value, bar] of missed) console.error(`missed: ${name}: ${value.toFixed(1)}, at most ${bar}`);
		if (missed.length > 0) process.exitCode = 1;
		else console.error('ok: everything comes back');
	} finally {
		rmSync(temporary, {recursive: true, force: true});
	}
}
