// @ts-check

// The CUDA programs of this folder: compiled where there is nvcc, or taken from build/gpu, where a bundle has them.

import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'build/gpu');

/** What each is made of, beside its own source. @type {Record<string, () => string[]>} */
const parts = {
	limits: () => ['-lcublas'],
	illegal: () => [],
	kernels: () => {
		const kernels = join(root, 'native/cuda/kernels');
		const sources = readdirSync(kernels).filter(file => file.endsWith('.cu'));
		// One thread of the compiler for each.
		return ['--threads', '0', ...sources.map(file => join(kernels, file)), join(root, 'native/base/error.cpp')];
	},
};

/**
The path of a program. It is compiled unless it is there: whoever changes a source removes build/gpu.

@param {string} name @param {string} [architecture] As nvcc's -arch takes it. @throws {Error} if it cannot be compiled.
*/
export function compileProgram(name, architecture = 'native') {
	const program = join(folder, name);
	if (existsSync(program)) return program;
	mkdirSync(folder, {recursive: true});
	const here = join(root, 'bench/gpu');
	// Twins before what they stand for.
	const include = [join(here, 'include'), here, join(root, 'native')].flatMap(path => ['-I', path]);
	const flags = ['-std=c++20', '-O3', `-arch=${architecture}`, '--Werror', 'all-warnings', ...include];
	const args = [...flags, '-o', program, join(here, `${name}.cu`), ...(parts[name]?.() ?? [])];
	execFileSync('nvcc', args, {stdio: ['ignore', 'inherit', 'inherit']});
	return program;
}

/**
@param {string} program @param {readonly string[]} [args] @param {number} [milliseconds] After which it is killed.
@returns {{stdout: string, status: number | null}} What it printed, also if it was killed.
*/
export function runProgram(program, args = [], milliseconds = 280_000) {
	const {stdout, status, error} = spawnSync(program, args, {
		encoding: 'utf8',
		timeout: Math.floor(milliseconds),
		killSignal: 'SIGKILL',
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	if (error && !stdout) throw error;
	return {stdout, status};
}
