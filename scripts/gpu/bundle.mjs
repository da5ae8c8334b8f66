// @ts-check

// All that `npm run test:gpu` needs, in one file, for a machine with a GPU but without npm, Node, a network or time to
// compile: the addon and the CUDA library, the programs of bench/gpu, the tests and what runs them, and node itself.
//
//   node scripts/gpu/bundle.mjs [--architecture 90] [--out gpu-bundle] [--limit 64]
//
// writes OUT/bundle.tar.xz and OUT/run.sh, which unpacks it beside itself and passes its arguments on to
// scripts/test-gpu.mjs. --limit: MiB that both may take. limits.cu is compiled over there, as it needs cuBLAS.

import {execFileSync} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {compileProgram} from '../../bench/gpu/programs.mjs';
import {currentCommit} from './results.mjs';

const {root, build, main} = createRequire(import.meta.url)('../native-build.cjs');

/** What only developing needs. */
const leftOut = [
	'@biomejs',
	'@typescript',
	'clang-format-node',
	'cmake-js',
	'node-addon-api',
	'node-api-headers',
	'prebuildify',
	'publint',
	'typescript',
];

/** @param {string} command @param {readonly string[]} args @param {string} [cwd] */
const run = (command, args, cwd = root) => execFileSync(command, args, {cwd, stdio: ['ignore', 'inherit', 'inherit']});

/** @param {string} file @returns {number} MiB */
const size = file => statSync(file).size / 2 ** 20;

main(() => {
	const {values} = parseArgs({
		options: {
			architecture: {type: 'string', default: '90'},
			out: {type: 'string', default: 'gpu-bundle'},
			limit: {type: 'string', default: '64'},
		},
	});
	const {architecture} = values;
	const out = join(root, values.out);
	// A folder of its own, so that the developer's build stays what it was.
	const made = build({out: 'build-gpu', tests: true});
	const folder = join(root, 'build-gpu');
	run('cmake', [`-DEXL_CUDA_ARCHITECTURES=${architecture}-real`, '-DEXL_CUDA=ON', folder]);
	run('cmake', ['--build', folder, '--parallel', String(availableParallelism())]);

	const staged = join(out, 'tree');
	rmSync(out, {recursive: true, force: true});
	mkdirSync(join(staged, 'build/Release'), {recursive: true});
	for (const file of readdirSync(join(made, '..')).filter(name => /\.(node|so)$/.test(name))) {
		copyFileSync(join(made, '..', file), join(staged, 'build/Release', file));
		run('strip', ['--strip-unneeded', join(staged, 'build/Release', file)]);
	}
	mkdirSync(join(staged, 'build/gpu'));
	for (const name of ['kernels', 'illegal'])
		copyFileSync(compileProgram(name, `sm_${architecture}`), join(staged, 'build/gpu', name));
	copyFileSync(process.execPath, join(staged, 'build/node'));
	run('strip', ['--strip-all', join(staged, 'build/node')]);

	const excluded = leftOut.map(name => `--exclude=node_modules/${name}`);
	const files = ['package.json', 'tsconfig.json', 'vitest.config.ts', 'bench', 'dist', 'lib', 'models', 'native'];
	const archive = join(out, 'bundle.tar');
	run('tar', [...excluded, '--exclude=bench/results', '-cf', archive, ...files, 'node_modules', 'scripts', 'test']);
	run('tar', ['-rf', archive, '-C', staged, 'build']);
	run('xz', ['-6', '--threads=0', archive]);
	rmSync(staged, {recursive: true});

	const commit = currentCommit() ?? 'unknown';
	writeFileSync(
		join(out, 'run.sh'),
		[
			'#!/bin/sh',
			`# Unpacks what scripts/gpu/bundle.mjs made of commit ${commit}, once, and tests the GPU of this machine.`,
			'#',
			'#   sh run.sh [options of scripts/test-gpu.mjs]     for the results: --out DIR',
			'set -e',
			'here=$(cd "$(dirname "$0")" && pwd)',
			'to="$(printenv TMPDIR || echo /tmp)/node-exllama-gpu"',
			'if [ ! -e "$to/complete" ]; then',
			'  mkdir -p "$to"',
			// tar needs xz for that; Python does not.
			'  tar -xJf "$here/bundle.tar.xz" -C "$to" 2>/dev/null ||',
			'    python3 -c "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])" "$here/bundle.tar.xz" "$to"',
			'  touch "$to/complete"',
			'fi',
			'cd "$to"',
			`exec build/node scripts/test-gpu.mjs --commit ${commit} "$@"`,
			'',
		].join('\n'),
		{mode: 0o755},
	);
	const total = size(`${archive}.xz`);
	console.log(`${values.out}: ${total.toFixed(1)} MiB for sm_${architecture}, commit ${commit}`);
	if (total > Number(values.limit)) throw new Error(`that is more than the ${values.limit} MiB there are (--limit)`);
	if (!existsSync(join(root, 'dist/index.js'))) throw new Error('dist is missing from it: run npm run build');
});
