// @ts-check

// Everything about a device that only the device can say, what a GPU that does not work yet fails at first: opening it,
// conformance of every op, replayed steps, what is left after an illegal address, compute-sanitizer on few cases, golden
// models, memory, lifecycle, and the speed of launchers and of whole models. Results go to bench/results/<gpu>-<date>.json,
// those of a rehearsal to bench/results/local, as soon as a stage has ended.
//
//   npm run test:gpu -- [options]       builds first
//   node scripts/test-gpu.mjs [options] takes what is built: it needs no npm, no network, no git and no compiler
//
//   --only open,linear,conformance,steps,illegal,memcheck,racecheck,synccheck,golden,memory,lifecycle,kernels,bench
//   --skip NAMES      `sanitizer` stands for the three of compute-sanitizer
//   --quick           a rehearsal: few cases, and a small model for the bench
//   --device cuda     or cuda:N; `emulator` rehearses it without a GPU, and without sanitizers unless they are named
//   --models NAMES    of bench/gpu, --scratch DIR for their files
//   --out DIR         for the results
//   --commit ID       what was built, where git cannot say it
//   --seconds 280     that a stage may take; it is ended then, and the next one begins
//   --within SECONDS  that all may take: a stage that might not end in time does not begin
//   --resume          leaves out what has passed before
//
// Stages may be run one by one: those of one commit, GPU and day end up in one file. After an interruption --resume goes on
// with the stage that was interrupted.

import {mkdtempSync, rmSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {parseArgs} from 'node:util';
import {currentCommit, driverVersion, ResultsFile} from './gpu/results.mjs';
import {sanitizers, seconds, stages} from './gpu/stages.mjs';

const require = createRequire(import.meta.url);
const {root, main} = require('./native-build.cjs');

const options = /** @type {const} */ ({
	only: {type: 'string'},
	skip: {type: 'string', default: ''},
	quick: {type: 'boolean', default: false},
	device: {type: 'string', default: 'cuda'},
	models: {type: 'string'},
	scratch: {type: 'string'},
	out: {type: 'string'},
	commit: {type: 'string'},
	seconds: {type: 'string', default: '280'},
	within: {type: 'string', default: 'Infinity'},
	resume: {type: 'boolean', default: false},
});
const began = performance.now();

/** @param {string} list */
function namesIn(list) {
	const names = list.split(',').filter(Boolean);
	const unknown = names.find(name => name !== 'sanitizer' && !(name in stages));
	if (unknown) throw new Error(`no stage ${unknown}; there are ${Object.keys(stages).join(', ')} and sanitizer`);
	return names.flatMap(name => (name === 'sanitizer' ? sanitizers : [name]));
}

/** The device and the library it comes from. @param {string} name @throws {Error} why it cannot be used. */
function find(name) {
	const addon = process.env.EXL_ADDON_PATH ?? join(root, 'build/Release/node-exllama.node');
	if (name.startsWith('emulator')) process.env.EXL_BACKEND_PATH ??= join(dirname(addon), 'libexl_emulator.so');
	/** @type {typeof import('node-exllama')} */
	const {listBackends, listDevices} = load('dist/index.js');
	const named = listDevices().filter(({id, kind}) => id === name || kind === name);
	const device = named.find(({usable}) => usable) ?? named[0];
	if (!device?.usable) throw new Error(`${name} cannot be used: ${device?.reason ?? 'there is no such device'}`);
	return {...device, build: listBackends().find(({kind}) => kind === device.kind)?.build ?? null};
}

/** @param {string} file */
function load(file) {
	try {
		return require(join(root, file));
	} catch (cause) {
		throw new Error(`${file} cannot be loaded. Run: npm run build`, {cause});
	}
}

main(() => {
	const {values} = parseArgs({options});
	const {device: name, quick} = values;
	const isGpu = !name.startsWith('emulator');
	const skipped = namesIn(values.skip);
	const asked = namesIn(values.only ?? Object.keys(stages).join(',')).filter(stage => !skipped.includes(stage));
	const chosen = isGpu || values.only ? asked : asked.filter(stage => !sanitizers.includes(stage));

	const {name: gpu, totalBytes, build} = find(name);
	const facts = {
		commit: values.commit ?? currentCommit(),
		quick,
		gpu: {name: gpu, totalBytes, driver: isGpu ? driverVersion() : null},
		build,
		node: process.version,
	};
	const file = new ResultsFile(values.out ?? join(root, 'bench/results', isGpu && !quick ? '' : 'local'), facts);
	console.log(`${gpu}, driver ${facts.gpu.driver}, ${build}, commit ${facts.commit}`);

	const folder = mkdtempSync(join(tmpdir(), 'exl-test-gpu-'));
	const lines = [];
	const total = {passed: 0, failed: 0, notRun: 0};
	try {
		for (const stage of chosen) {
			if (values.resume && file.has(stage)) {
				lines.push(`${stage.padEnd(12)}passed before`);
				continue;
			}
			console.log(`\n== ${stage}`);
			const started = performance.now();
			const {models, scratch} = values;
			const left = Number(values.within) - (started - began) / 1000;
			const limit = Math.floor(Math.min(Number(values.seconds), left));
			if (limit < 20) {
				total.notRun++;
				lines.push(`${stage.padEnd(12)}not run: no time is left`);
				continue;
			}
			const outcome = stages[stage]?.({device: name, quick, models, scratch, folder, seconds: limit});
			if (!outcome) continue;
			file.add(stage, (performance.now() - started) / 1000, outcome);
			const {passed, failed, notRun, report} = outcome;
			total.passed += passed;
			total.failed += failed;
			if (notRun) total.notRun++;
			const counts = notRun ? `not run: ${notRun}` : `${passed} passed, ${failed} failed`;
			lines.push(`${stage.padEnd(12)}${counts}, ${seconds(started)}${report ? `, ${report}` : ''}`);
			console.log(lines.at(-1));
		}
	} finally {
		rmSync(folder, {recursive: true});
	}
	console.log(`\n${lines.join('\n')}\n\n${file.path}`);
	console.log(`${total.passed} passed, ${total.failed} failed${total.notRun ? `, ${total.notRun} not run` : ''}`);
	if (total.failed + total.notRun > 0) process.exitCode = 1;
});
