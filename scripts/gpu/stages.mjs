// @ts-check

// What npm run test:gpu consists of. Each stage runs in processes of its own, so that none can take the next one with it.

import {spawnSync} from 'node:child_process';
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {measureLimits} from '../../bench/gpu/limits.mjs';
import {namesOf} from '../../bench/gpu/models.mjs';
import {compileProgram, runProgram} from '../../bench/gpu/programs.mjs';

/**
@typedef {{
	device: string,
	quick: boolean,
	models: string | undefined,
	scratch: string | undefined,
	folder: string,
	seconds: number,
}} Options `folder`: where stages leave files for each other. `seconds`: after which a stage is ended.
*/
/**
@typedef {{
	passed: number,
	failed: number,
	skipped?: number,
	notRun?: string,
	failures?: string[],
	report?: string,
	limits?: import('../../bench/gpu/limits.mjs').Limits,
	models?: {model: string}[],
	launchers?: {launcher: string}[],
	after?: Record<string, number>,
}} Outcome `notRun`: why a stage did not run. `failures`: names. `report`: what a sanitizer says at its end.
`after`: CUDA's errors after one that a kernel made.
*/

const root = fileURLToPath(new URL('../..', import.meta.url));
const vitest = createRequire(import.meta.url).resolve('vitest/vitest.mjs');

/** The order is that of what a GPU that does not work yet fails first. @type {Record<string, (options: Options) => Outcome>} */
export const stages = {
	open: options => test(options, ['test/gpu/open']),
	linear: options => test(options, ['test/conformance/linear']),
	conformance: options => test(options, ['test/conformance/rows', 'test/conformance/attention']),
	steps: options => test(options, ['test/gpu/steps']),
	illegal,
	memcheck: options => sanitize(options, 'memcheck', ['--leak-check', 'full']),
	racecheck: options => sanitize(options, 'racecheck'),
	synccheck: options => sanitize(options, 'synccheck'),
	golden: options => test(options, ['test/gpu/golden', 'test/gpu/generate']),
	memory: options => test(options, ['test/gpu/memory']),
	lifecycle: options => test(options, ['test/lifecycle']),
	kernels,
	bench,
};

export const sanitizers = ['memcheck', 'racecheck', 'synccheck'];

/** @param {Options} options @param {string[]} files As vitest takes them. */
const test = (options, files) => run(options, files).outcome;

/**
@param {Options} options
@param {string[]} files
@param {{command?: string[], args?: string[]}} [how] `command` comes before that of node.
@returns {{outcome: Outcome, status: number | null}}
*/
function run({device, quick, folder, seconds}, files, {command = [], args = []} = {}) {
	const json = join(folder, 'tests.json');
	rmSync(json, {force: true});
	const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${json}`];
	const line = [...command, process.execPath, vitest, 'run', ...reporters, ...args, ...files];
	const env = {...process.env, EXL_TEST_DEVICE: device, ...(quick && {EXL_TEST_QUICK: '1'})};
	const limit = {timeout: Math.floor(seconds * 1000), killSignal: /** @type {const} */ ('SIGKILL')};
	const {status, signal} = spawnSync(line[0] ?? '', line.slice(1), {cwd: root, env, stdio: 'inherit', ...limit});
	if (!existsSync(json)) {
		const failures = [
			`vitest ended with ${status ?? signal} and without a report, ${seconds} s being what it may take`,
		];
		return {outcome: {passed: 0, failed: 1, failures}, status};
	}
	const report = JSON.parse(readFileSync(json, 'utf8'));
	/** @type {{status: string, fullName: string}[]} */
	const tests = report.testResults.flatMap((/** @type {{assertionResults: {}[]}} */ file) => file.assertionResults);
	const failures = tests.filter(({status}) => status === 'failed').map(({fullName}) => fullName);
	const outcome = {
		passed: report.numPassedTests,
		// A file or a hook that fails as a whole need not have a failing test.
		failed: Math.max(report.numFailedTests, report.success ? 0 : 1),
		skipped: report.numPendingTests,
		...(failures.length > 0 && {failures}),
	};
	return {outcome, status};
}

/**
A few cases under a tool of NVIDIA's. Tests run in a thread of vitest's own process, which ends by itself: a worker
process would be killed, and with it what the tool has to say.

@param {Options} options @param {string} tool @param {string[]} [more] @returns {Outcome}
*/
function sanitize(options, tool, more = []) {
	if (spawnSync('compute-sanitizer', ['--version']).error)
		return {passed: 0, failed: 0, notRun: 'there is no compute-sanitizer (it comes with the CUDA toolkit)'};
	const log = join(options.folder, `${tool}.log`);
	const watched = ['--tool', tool, '--target-processes', 'application-only', '--error-exitcode', '99'];
	const command = ['compute-sanitizer', ...watched, ...more, '--log-file', log];
	const args = ['--pool=threads', '--poolOptions.threads.singleThread', '--testTimeout=600000', '--hookTimeout=600000'];
	const files = ['test/conformance', 'test/gpu/golden', 'test/gpu/generate'];
	const {outcome, status} = run({...options, quick: true}, files, {command, args});

	const written = existsSync(log) ? readFileSync(log, 'utf8') : '';
	const report = /^=+ ((?:ERROR|RACECHECK) SUMMARY: .*)$/m.exec(written)?.[1] ?? `no summary, status ${status}`;
	const isClean = /SUMMARY: 0 /.test(report);
	if (!isClean || (status !== 0 && outcome.failed === 0)) {
		console.log(written.split('\n').slice(0, 200).join('\n'));
		outcome.failed++;
	}
	return {...outcome, report};
}

/** @type {Outcome} */
const needsGpu = {passed: 0, failed: 0, skipped: 1, report: 'not without a GPU'};

/** An address where there is nothing, and what works then. @param {Options} options @returns {Outcome} */
function illegal({device}) {
	if (!device.startsWith('cuda')) return needsGpu;
	try {
		const program = compileProgram('illegal');
		const {stdout, status} = runProgram(program, [], 60_000);
		const after = {...JSON.parse(stdout), ...JSON.parse(runProgram(program, ['--well'], 60_000).stdout)};
		console.log(JSON.stringify(after));
		// What the same process can do is for the record; another has to be well.
		const isWell = status === 0 && after.illegal !== 0 && after.well === 0;
		return {passed: isWell ? 1 : 0, failed: isWell ? 0 : 1, after};
	} catch (error) {
		return {passed: 0, failed: 0, notRun: /** @type {Error} */ (error).message};
	}
}

/** Every launcher on the layers of real models, as many as there is time for. @param {Options} options @returns {Outcome} */
function kernels({device, quick, seconds}) {
	if (!device.startsWith('cuda')) return needsGpu;
	try {
		const program = compileProgram('kernels');
		const args = ['--seconds', String(Math.max(20, seconds - 40)), ...(quick ? ['--quick'] : [])];
		const {stdout, status} = runProgram(program, args, seconds * 1000);
		// A line that was cut off when time was up is not one.
		const lines = stdout.split('\n').filter(line => line.startsWith('{') && line.endsWith('}'));
		const found = lines.map(line => JSON.parse(line));
		const launchers = found.filter(({launcher}) => launcher);
		const report = `${launchers.length} measured, ${found.at(-1)?.leftOut ?? 'some'} left out`;
		return {passed: launchers.length, failed: status === 0 ? 0 : 1, launchers, report};
	} catch (error) {
		return {passed: 0, failed: 0, notRun: /** @type {Error} */ (error).message};
	}
}

/** @param {Options} options @returns {Outcome} */
function bench({device, quick: isAsked, models, scratch, folder, seconds: limit}) {
	const isGpu = device.startsWith('cuda');
	const began = performance.now();
	// The emulated device has 1 GiB, which a real shape does not fit into.
	const quick = isAsked || !isGpu;
	const limits = isGpu ? measureLimits() : undefined;
	const file = join(folder, 'limits.json');
	writeFileSync(file, JSON.stringify(limits ?? null));
	/** @type {Outcome & {models: {model: string}[], failures: string[]}} */
	const outcome = {passed: 0, failed: 0, failures: [], models: [], ...(limits && {limits})};
	for (const model of namesOf(models, quick)) {
		const started = performance.now();
		const left = Math.floor(limit * 1000 - (started - began));
		if (left < 20_000) {
			outcome.failures.push(`${model}: no time is left`);
			outcome.failed++;
			continue;
		}
		const args = ['bench/gpu/index.mjs', '--json', '--device', device, '--models', model];
		args.push('--limits', limits ? file : 'none');
		if (quick) args.push('--quick');
		if (scratch !== undefined) args.push('--scratch', scratch);
		const {status, stdout} = spawnSync(process.execPath, args, {
			cwd: root,
			encoding: 'utf8',
			stdio: ['ignore', 'pipe', 'inherit'],
			timeout: left,
			killSignal: 'SIGKILL',
		});
		console.log(`${model}: ${status === 0 ? 'measured' : 'failed'} in ${seconds(started)}`);
		if (status === 0) {
			outcome.passed++;
			outcome.models.push(...JSON.parse(stdout).models);
		} else {
			outcome.failed++;
			outcome.failures.push(model);
		}
	}
	return outcome;
}

/** @param {number} started As `performance.now()` gave it. */
export const seconds = started => `${((performance.now() - started) / 1000).toFixed(1)} s`;
