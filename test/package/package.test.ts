import {execFileSync} from 'node:child_process';
import {copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, relative} from 'node:path';
import {publint} from 'publint';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';

// What a user gets: the packed tarball, installed into an empty folder, with the addon of this build as its prebuild.
// No network and no compiler is used; packing and installing take about five seconds.

const root = join(import.meta.dirname ?? __dirname, '../..');
const addon = process.env.EXL_ADDON_PATH ?? join(root, 'build/Release/node-exllama.node');
const home = mkdtempSync(join(tmpdir(), 'node-exllama-package-'));
const app = join(home, 'app');
const installed = join(app, 'node_modules/node-exllama');

// The addon under test is the installed one.
const {EXL_ADDON_PATH: _, ...env} = process.env;

function run(cwd: string, command: string, ...args: string[]): string {
	const shell = process.platform === 'win32';
	return execFileSync(command, args, {cwd, env, shell, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});
}

/** Packs `folder` into `home` and returns the path of the tarball. */
function pack(folder: string): string {
	const [packed] = JSON.parse(run(folder, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', home));
	return join(home, packed.filename);
}

/** `linux-x64/node-exllama.glibc.node`, as prebuildify would name it. */
function prebuildName(): string {
	const report = process.report.getReport() as unknown as {header: {glibcVersionRuntime?: string}};
	const libc = process.platform !== 'linux' ? '' : report.header.glibcVersionRuntime ? '.glibc' : '.musl';
	return `${process.platform}-${process.arch}/node-exllama${libc}.node`;
}

beforeAll(() => {
	run(home, 'tar', '-xzf', pack(root));
	const stage = join(home, 'package');
	const prebuild = join(stage, 'prebuilds', prebuildName());
	rmSync(join(stage, 'prebuilds'), {recursive: true, force: true});
	mkdirSync(join(prebuild, '..'), {recursive: true});
	copyFileSync(addon, prebuild);

	// The dependencies are already here, so npm has nothing to ask the registry for.
	const dependencies = run(root, 'npm', 'ls', '--omit=dev', '--all', '--parseable').trim().split(/\r?\n/).slice(1);
	for (const folder of dependencies) cpSync(folder, join(app, relative(root, folder)), {recursive: true});

	writeFileSync(join(app, 'package.json'), JSON.stringify({name: 'app', private: true}));
	run(app, 'npm', 'install', '--offline', '--no-audit', '--no-fund', pack(stage));
});

afterAll(() => rmSync(home, {recursive: true, force: true}));

describe('the packed package', () => {
	const exported = () => Object.keys(require(join(root, 'dist/index.js'))).sort();

	it('is loaded by require()', () => {
		const code = "console.log(JSON.stringify(Object.keys(require('node-exllama')).sort()))";
		expect(JSON.parse(run(app, process.execPath, '-e', code))).toEqual(exported());
	});

	it('gives every export by name to import', () => {
		const code = "import * as m from 'node-exllama'; console.log(JSON.stringify(Object.keys(m).sort()))";
		const names: string[] = JSON.parse(run(app, process.execPath, '--input-type=module', '-e', code));
		// What Node adds to the namespace of a CommonJS module.
		const added = new Set(['default', 'module.exports', '__esModule']);
		expect(names.filter(name => !added.has(name))).toEqual(exported());
	});

	it('finds its prebuild and did not build anything', () => {
		const code = "console.log(require('node-gyp-build').resolve(process.argv[1]))";
		expect(run(app, process.execPath, '-e', code, installed).trim()).toBe(join(installed, 'prebuilds', prebuildName()));
	});

	it('has a working command', () => {
		const {version} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
		expect(run(app, 'npx', '--no-install', 'node-exllama', '--version').trim()).toBe(version);
	});

	it('carries what a build from source needs, and no tests', () => {
		const files = run(installed, process.execPath, '-p', "fs.readdirSync('.', {recursive: true}).join('\\n')");
		const list = files.trim().replaceAll('\\', '/').split(/\r?\n/);
		const needed = ['CMakeLists.txt', 'binding.gyp', 'scripts/native-build.cjs', 'scripts/gyp-action.cjs', 'LICENSE'];
		expect(list).toEqual(expect.arrayContaining([...needed, 'NOTICE', 'native/napi/addon.cpp', 'dist/index.d.ts']));
		expect(list.filter(file => /^(?:test|native\/test|bench)\b/.test(file))).toEqual([]);
	});

	it('has a package.json that points at what is there', async () => {
		const {messages} = await publint({pkgDir: installed, pack: false, strict: true});
		expect(messages).toEqual([]);
	});
});
