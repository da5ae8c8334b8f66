import {execFileSync} from 'node:child_process';
import {existsSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {platforms, prebuildName} from '../../scripts/release/platforms.mjs';

// What a binary asks of the system that loads it: of this build, and of the prebuilt ones for Linux that are in prebuilds/.

const root = join(__dirname, '../..');
const own = process.env.EXL_ADDON_PATH ?? join(root, 'build/Release/node-exllama.node');
const isLinux = process.platform === 'linux' && !process.env.EXL_SANITIZE;

const tool = (name: string, ...args: string[]) => execFileSync(name, args, {encoding: 'utf8'});
const words = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(match => match[1]!);
const needed = (file: string) => words(tool('readelf', '-d', file), /\(NEEDED\).*\[(.*)\]/g).sort();

/** Names and versions of the symbols that others are to have. */
const asked = (file: string) => tool('nm', '-D', '--undefined-only', file);

/** The newest glibc that is asked for, as [major, minor]. */
function newestGlibc(file: string): number[] {
	const versions = words(asked(file), /@GLIBC_([\d.]+)/g).map(version => version.split('.').map(Number));
	return versions.reduce((a, b) => ((b[0]! - a[0]! || (b[1] ?? 0) - (a[1] ?? 0)) > 0 ? b : a), [0, 0]);
}

function exportsTwoFunctions(file: string) {
	const defined = words(tool('nm', '-D', '--defined-only', file), / [A-Z] (\S+)/g).map(name => name.split('@')[0]);
	expect(defined.sort()).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
}

describe.runIf(isLinux && existsSync(own))('this build', () => {
	it('exports what Node asks for, and nothing else', () => exportsTwoFunctions(own));

	it('brings its C++ library along and looks nowhere special for others', () => {
		const system = /^(?:lib(?:c|m|dl|pthread|rt)\.so\.\d|ld-linux.*|libc\.musl.*)$/;
		expect(needed(own).filter(name => !system.test(name))).toEqual([]);
		expect(tool('readelf', '-d', own)).not.toMatch(/RPATH|RUNPATH/);
	});

	it('is compiled for no processor in particular', () => {
		const commands: {command: string; file: string}[] = JSON.parse(
			readFileSync(join(own, '../../compile_commands.json'), 'utf8'),
		);
		expect(commands.length).toBeGreaterThan(50);
		for (const {command, file} of commands) {
			expect(command, file).not.toMatch(/-m(?:arch|tune|cpu)=native/);
			if (!file.includes('/native/cpu/targets/')) expect(command, file).not.toMatch(/ -m(?:avx|fma|f16c|arch)/);
		}
	});
});

const prebuilt = platforms
	.filter(({os}) => os === 'linux')
	.map(platform => ({...platform, file: join(root, 'prebuilds', prebuildName(platform))}))
	.filter(({file}) => existsSync(file));

describe.runIf(isLinux && prebuilt.length > 0)('a prebuilt binary', () => {
	it.each(prebuilt)('for $name is small, stripped, and exports two functions', ({file}) => {
		exportsTwoFunctions(file);
		expect(statSync(file).size).toBeLessThan(4 * 2 ** 20);
		expect(tool('readelf', '-S', file)).not.toMatch(/\.symtab|\.debug_/);
		expect(tool('readelf', '-d', file)).not.toMatch(/RPATH|RUNPATH/);
	});

	it.each(prebuilt)('for $name needs the C library of its system and no other', ({file, libc}) => {
		if (libc === 'musl') {
			expect(needed(file)).toEqual(['libc.so']);
			return;
		}
		expect(needed(file).filter(name => !/^lib(?:c|m|dl|pthread)\.so\.\d$|^ld-linux/.test(name))).toEqual([]);
		const [major, minor] = newestGlibc(file);
		expect(major === 2 && minor! <= 28, `glibc ${major}.${minor}`).toBe(true);
	});

	it.each(prebuilt)('for $name takes nothing from a run-time library of a compiler', ({file}) => {
		const rest = words(asked(file), /\sU (\S+)/g).filter(name => !name.startsWith('napi_') && !name.includes('@GLIBC'));
		if (rest.length > 0)
			expect(rest.filter(name => /^(?:__cpu_|_Unwind|_Z|__cxa_(?!thread|finalize|atexit))/.test(name))).toEqual([]);
	});
});
