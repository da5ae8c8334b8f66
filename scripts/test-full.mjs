// @ts-check

// What `npm test` does twice, twenty times: every CUDA kernel on the CPU, alone and as an op of a program, each time with
// other launches that overlap and other moments at which copies read. Takes the better part of an hour.
//
//   node scripts/test-full.mjs [--seeds N]

import {spawnSync} from 'node:child_process';
import {createRequire} from 'node:module';
import {parseArgs} from 'node:util';

const require = createRequire(import.meta.url);
const {values} = parseArgs({options: {seeds: {type: 'string', default: '20'}}});
const {seeds} = values;

/** @param {string} command @param {readonly string[]} args */
function run(command, args) {
	console.log([command, ...args].join(' '));
	const env = {...process.env, EXL_EMULATOR_SEEDS: seeds};
	const {status, error} = spawnSync(command, args, {stdio: 'inherit', env});
	if (error) throw error;
	if (status !== 0) process.exitCode = 1;
}

run('build/exl_emulator_test', ['--full', '--seeds', seeds]);
// A case runs on every seed before the next one does.
const patience = ['--testTimeout=1200000', '--hookTimeout=1200000'];
run(process.execPath, [require.resolve('vitest/vitest.mjs'), 'run', 'test/conformance', ...patience]);
