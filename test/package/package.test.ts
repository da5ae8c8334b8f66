import {existsSync, readdirSync, readFileSync, realpathSync} from 'node:fs';
import {join} from 'node:path';
import {publint} from 'publint';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {hostPlatform, packageName, platforms} from '../../scripts/release/platforms.mjs';
import {readmeLines} from './support/lines.js';
import {cleanEnvironment, publish, type Release, root, run} from './support/release.js';

// What a user gets: the packed packages, installed from a registry on this machine into an empty folder, with the addon of
// this build as the binary of this system. No compiler is to be had. `npm run test:package` goes on with other runtimes.

let release: Release;
let app: string;
let installed: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
	release = await publish();
	app = await release.install('app');
	installed = join(app, 'node_modules/node-exllama');
	env = cleanEnvironment(release.home, release.registry.url);
}, 180_000);
afterAll(() => release?.remove());

const node = (...args: string[]) => run(process.execPath, args, {cwd: app, env});
const filesOf = (folder: string) =>
	readdirSync(folder, {recursive: true, withFileTypes: true})
		.filter(entry => entry.isFile())
		.map(entry =>
			join(entry.parentPath, entry.name)
				.slice(folder.length + 1)
				.replaceAll('\\', '/'),
		)
		.sort();

describe('what is installed', () => {
	it('is all there was to ask for', () => {
		expect(release.registry.missed).toEqual([]);
	});

	it('has this system alone of all binaries', () => {
		expect(readdirSync(join(app, 'node_modules/@node-exllama'))).toEqual([hostPlatform()?.name]);
	});

	it('is small', () => {
		const bytes = (folder: string) =>
			filesOf(folder).reduce((sum, file) => sum + readFileSync(join(folder, file)).length, 0);
		const ours = bytes(installed) + bytes(join(app, 'node_modules/@node-exllama'));
		expect(ours).toBeLessThan(10 * 2 ** 20);
		expect(bytes(join(app, 'node_modules'))).toBeLessThan(15 * 2 ** 20);
	});

	it('has no script that runs at installation', () => {
		const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
		expect([manifest.scripts, manifest.gypfile]).toEqual([undefined, false]);
		expect(existsSync(join(installed, 'binding.gyp'))).toBe(false);
		const optional = Object.fromEntries(platforms.map(platform => [packageName(platform), manifest.version]));
		expect(manifest.optionalDependencies).toEqual(optional);
		expect(existsSync(join(app, 'node_modules/node-addon-api'))).toBe(false);
	});

	it('lists these files', () => {
		const sources = filesOf(join(root, 'lib')).map(file => file.replace(/\.ts$/, ''));
		const native = filesOf(join(root, 'native')).filter(file => !file.startsWith('test/'));
		const model = ['config.json', 'generation_config.json', 'output.safetensors', 'special_tokens_map.json'];
		const headers = ['napi.h', 'napi-inl.h', 'napi-inl.deprecated.h', 'node_api.h', 'node_api_types.h', 'node_api.def'];
		const licences = ['LICENSE.node-addon-api.md', 'LICENSE.node-api-headers'];
		const expected = [
			...sources.flatMap(name => [`dist/${name}.js`, `dist/${name}.d.ts`]),
			...native.map(file => `native/${file}`),
			...[...model, 'tokenizer.json', 'tokenizer_config.json'].map(file => `models/tinystories-656k-exl2/${file}`),
			...[...headers, 'js_native_api.h', 'js_native_api_types.h', ...licences].map(file => `node-api/${file}`),
			...['CMakeLists.txt', 'LICENSE', 'NOTICE', 'README.md', 'package.json', 'models/LICENSE.apache-2.0'],
			...['scripts/build-native.cjs', 'scripts/native-build.cjs'],
		];
		expect(filesOf(installed)).toEqual(expected.sort());

		const {os, cpu, name} = hostPlatform()!;
		expect(filesOf(join(app, 'node_modules/@node-exllama', name))).toEqual(
			['LICENSE', 'NOTICE', 'README.md', 'package.json', `prebuilds/${os}-${cpu}/node-exllama.node`].sort(),
		);
	});

	it('has a package.json that points at what is there', async () => {
		for (const folder of [installed, join(app, 'node_modules/@node-exllama', hostPlatform()!.name)]) {
			const {messages} = await publint({pkgDir: folder, pack: false, strict: true});
			expect(messages).toEqual([]);
		}
	});
});

describe('the installed package', () => {
	const exported = () => Object.keys(require(join(root, 'dist/index.js'))).sort();

	it('is loaded by require()', async () => {
		const code = "console.log(JSON.stringify(Object.keys(require('node-exllama')).sort()))";
		expect(JSON.parse(await node('-e', code))).toEqual(exported());
	});

	it('gives every export by name to import', async () => {
		const code = "import * as m from 'node-exllama'; console.log(JSON.stringify(Object.keys(m).sort()))";
		const names: string[] = JSON.parse(await node('--input-type=module', '-e', code));
		// What Node adds to the namespace of a CommonJS module.
		const added = new Set(['default', 'module.exports', '__esModule']);
		expect(names.filter(name => !added.has(name))).toEqual(exported());
	});

	it('loads the binary of its own package, in silence', async () => {
		const code = `
			require('node-exllama').listDevices();
			console.log(process.report.getReport().sharedObjects.filter(name => name.endsWith('.node')).join());
		`;
		const {os, cpu, name} = hostPlatform()!;
		const addon = join(app, 'node_modules/@node-exllama', name, `prebuilds/${os}-${cpu}/node-exllama.node`);
		expect((await node('-e', code)).trim()).toBe(realpathSync(addon));
	});

	it.each(['esm', 'cjs'] as const)('runs the first lines of the README as %s', async format => {
		const lines = await readmeLines(format);
		const output = await node(...(format === 'esm' ? ['--input-type=module'] : []), '-e', lines);
		expect(output.length).toBeGreaterThan(40);
	});

	it('runs them in a worker', async () => {
		const lines = JSON.stringify(await readmeLines('cjs'));
		const code = `
			const worker = new (require('node:worker_threads').Worker)(${lines}, {eval: true});
			worker.on('exit', code => console.log('exit', code));
		`;
		expect(await node('-e', code)).toMatch(/^[\s\S]{40,}exit 0\n$/);
	});

	it('has a working command', async () => {
		const {version} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
		const output = await run('npx', ['--no-install', 'node-exllama', '--version'], {cwd: app, env});
		expect(output.trim()).toBe(version);
	});

	it('says what a build from source needs', async () => {
		const command = run('npx', ['--no-install', 'node-exllama', 'build'], {cwd: app, env});
		await expect(command).rejects.toMatchObject({
			code: 1,
			stderr: expect.stringMatching(/^node-exllama: cannot build .* missing: CMake, a C\+\+ compiler/),
		});
	});
});
