// @ts-check
'use strict';

// Everything the other scripts know about building the addon. It needs CMake and a C++ compiler; it does not need
// Python, node-gyp or Node's own headers, and it downloads nothing.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const {spawnSync} = require('node:child_process');

const root = path.dirname(__dirname);

const howToInstall =
	'apt install build-essential cmake (Debian, Ubuntu); dnf install gcc-c++ make cmake (Fedora); ' +
	'xcode-select --install and brew install cmake (macOS); ' +
	'winget install Kitware.CMake and Visual Studio Build Tools with "Desktop development with C++" (Windows)';

/** @param {string} command @param {string[]} [args] */
function works(command, args = ['--version']) {
	return spawnSync(command, args, {stdio: 'ignore'}).status === 0;
}

function hasCompiler() {
	if (process.platform !== 'win32') return [process.env.CXX, 'c++', 'g++', 'clang++'].some(c => c && works(c));

	// cl.exe is on PATH only in a developer prompt; CMake finds it through the installer's registry, as this does.
	const programs = process.env['ProgramFiles(x86)'] ?? 'C:\\Program Files (x86)';
	const vswhere = path.join(programs, 'Microsoft Visual Studio', 'Installer', 'vswhere.exe');
	const args = ['-products', '*', '-requires', 'Microsoft.VisualStudio.Component.VC.Tools.x86.x64'];
	const {stdout} = spawnSync(vswhere, [...args, '-property', 'installationPath'], {encoding: 'utf8'});
	return Boolean(stdout?.trim()) || works('cl', ['/?']);
}

/** One line saying what is missing and how to get it, or undefined. */
function missingTools() {
	const missing = [];
	if (!works('cmake')) missing.push('CMake');
	if (!hasCompiler()) missing.push('a C++ compiler');
	if (process.platform !== 'win32' && !works('ninja') && !works('make')) missing.push('make or ninja');
	if (missing.length === 0) return undefined;
	return `node-exllama: cannot build the native addon, missing: ${missing.join(', ')}. Install: ${howToInstall}.`;
}

/** @param {string} command @param {string[]} args */
function run(command, args) {
	const {status, error} = spawnSync(command, args, {cwd: root, stdio: 'inherit'});
	if (error) throw error;
	if (status !== 0) throw new Error(`${path.basename(command)} failed with status ${status}`);
}

/** @param {string} name */
function resolvable(name) {
	try {
		return require.resolve(name);
	} catch {
		return undefined;
	}
}

/** A cache written for a tree that has since been moved or copied makes CMake refuse to go on. @param {string} out */
function dropForeignCache(out) {
	const cache = path.join(out, 'CMakeCache.txt');
	if (!fs.existsSync(cache)) return;
	const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(fs.readFileSync(cache, 'utf8'))?.[1];
	if (home === undefined || path.resolve(home) !== root) fs.rmSync(out, {recursive: true});
}

/** @param {string} folder @param {boolean} isConfigured @param {Record<string, string>} definitions */
function configure(folder, isConfigured, definitions) {
	const defines = Object.entries(definitions).map(([name, value]) => `${name}=${value}`);
	const cmakeJs = resolvable('cmake-js/bin/cmake-js');
	if (!isConfigured && cmakeJs) {
		const cd = defines.map(define => `--CD${define}`);
		run(process.execPath, [cmakeJs, 'configure', '--log-level', 'warn', '--out', folder, ...cd]);
	} else {
		// Also the way to reconfigure: cmake-js ignores new options once there is a cache.
		const generator = !isConfigured && works('ninja') ? ['-G', 'Ninja'] : [];
		run('cmake', ['-S', root, '-B', folder, ...generator, ...defines.map(define => `-D${define}`)]);
	}
}

/**
 * Configures and builds what is not up to date. A build that has nothing to do takes about a second.
 *
 * @param {{out?: string, sanitize?: string, tests?: boolean, onlyAddon?: boolean}} [options] `out` is relative to the
 *   package. `onlyAddon` leaves a configuration that is there as it is.
 * @returns {string} the path of the addon.
 */
function build({out = 'build', sanitize = '', tests = false, onlyAddon = false} = {}) {
	const complaint = missingTools();
	if (complaint) throw new Error(complaint);

	const folder = path.resolve(root, out);
	const definitions = {
		NODE_EXECUTABLE: process.execPath,
		EXL_SANITIZE: sanitize,
		EXL_BUILD_TESTS: tests ? 'ON' : 'OFF',
		EXL_CUDA: onlyAddon ? 'OFF' : (process.env.EXL_CUDA ?? 'AUTO'),
	};

	dropForeignCache(folder);
	const isConfigured = fs.existsSync(path.join(folder, 'CMakeCache.txt'));
	if (!isConfigured || !onlyAddon) configure(folder, isConfigured, definitions);
	const target = onlyAddon ? ['--target', 'node_exllama'] : [];
	run('cmake', ['--build', folder, '--config', 'Release', ...target, '--parallel', String(os.availableParallelism())]);
	return path.join(folder, 'Release', 'node-exllama.node');
}

/** Runs `action`; an error becomes its one line on stderr and exit status 1. @param {() => void} action */
function main(action) {
	try {
		action();
	} catch (error) {
		console.error(error instanceof Error ? error.message : error);
		process.exitCode = 1;
	}
}

module.exports = {root, build, main};
