import {chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {hostPlatform, platforms, prebuildName} from '../../scripts/release/platforms.mjs';
import {readmeLines} from './support/lines.js';
import {cleanEnvironment, publish, type Release, root, run} from './support/release.js';

// The package where else it may be used: other versions of Node, other runtimes, bundlers, package managers, processors. Only
// in `npm run test:package`, which installs tools/package; what is not to be had on this machine is skipped by name.

const tools = join(root, 'tools/package/node_modules');
const tool = (name: string) => join(tools, '.bin', name);
const nodes = ['20', '22', '24'].map(version => [version, join(tools, `node-${version}/bin/node`)] as const);
const wanted = process.env.EXL_TEST_PACKAGE === '1' && process.platform === 'linux' && process.arch === 'x64';

let release: Release;
let app: string;
let env: NodeJS.ProcessEnv;

/** The output of the README's lines, told by some length of text. */
const told = /[\s\S]{40,}/;

beforeAll(async () => {
	if (!wanted) return;
	// A file that nobody here loads stands in for what is not built: some package managers fetch all.
	const built = platforms.map(platform => {
		const file = join(root, 'prebuilds', prebuildName(platform));
		return [platform.name, existsSync(file) ? file : join(root, 'LICENSE')] as const;
	});
	const known = built.filter(([name, file]) => name !== hostPlatform()?.name || !file.endsWith('LICENSE'));
	release = await publish(Object.fromEntries(known));
	env = cleanEnvironment(release.home, release.registry.url);
	app = await release.install('app');
	await writeLines(app);
}, 300_000);
afterAll(() => release?.remove());

async function writeLines(folder: string): Promise<void> {
	writeFileSync(join(folder, 'lines.mjs'), await readmeLines('esm'));
	writeFileSync(join(folder, 'lines.cjs'), await readmeLines('cjs'));
}

const inApp = (command: string, ...args: string[]) => run(command, args, {cwd: app, env, timeout: 240_000});

describe.runIf(wanted)('runtimes', () => {
	it.each(nodes)('Node %s', async (_, node) => {
		expect(await inApp(node, 'lines.mjs')).toMatch(told);
		expect(await inApp(node, 'lines.cjs')).toMatch(told);
	});

	it('Bun', async () => {
		expect(await inApp(join(tools, '@oven/bun-linux-x64/bin/bun'), 'lines.mjs')).toMatch(told);
	});

	it('Deno', async () => {
		const deno = join(tools, '@deno/linux-x64-glibc/deno');
		expect(await inApp(deno, 'run', '-A', '--node-modules-dir=manual', 'lines.mjs')).toMatch(told);
	});

	it('a single executable application', async () => {
		const [, node] = nodes[0]!;
		const code = `
			const {createRequire} = require('node:module');
			const from = createRequire(process.execPath);
			const path = require('node:path').dirname(from.resolve('node-exllama/package.json'));
			from('node-exllama').loadModel(path + '/models/tinystories-656k-exl2').then(async model => {
				console.log((await model.complete('Once upon a time', {maxTokens: 40})).text);
				await model.dispose();
			});
		`;
		writeFileSync(join(app, 'sea.js'), code);
		writeFileSync(join(app, 'sea.json'), JSON.stringify({main: 'sea.js', output: 'sea.blob'}));
		await inApp(node, '--experimental-sea-config', 'sea.json');
		copyFileSync(node, join(app, 'sea'));
		chmodSync(join(app, 'sea'), 0o755);
		const fuse = ['--sentinel-fuse', 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'];
		await inApp(process.execPath, tool('postject'), 'sea', 'NODE_SEA_BLOB', 'sea.blob', ...fuse);
		expect(await inApp(join(app, 'sea'))).toMatch(told);
	});
});

describe.runIf(wanted)('layouts', () => {
	it('a path with spaces and letters of other scripts', async () => {
		const folder = await release.install('größe mit Leerzeichen 模型');
		await writeLines(folder);
		expect(await run(process.execPath, ['lines.mjs'], {cwd: folder, env})).toMatch(told);
	});

	it('node_modules that cannot be written', async () => {
		const folder = await release.install('read-only');
		await writeLines(folder);
		await run('/bin/chmod', ['-R', 'a-w', 'node_modules'], {cwd: folder, env});
		expect(await run(process.execPath, ['lines.mjs'], {cwd: folder, env})).toMatch(told);
		await run('/bin/chmod', ['-R', 'u+w', 'node_modules'], {cwd: folder, env});
	});

	it('two copies in one process', async () => {
		const folder = await release.install('two', ['second@npm:node-exllama']);
		const code = `
			const path = require('node:path').dirname(require.resolve('second/package.json'));
			const use = async name => {
				const model = await require(name).loadModel(path + '/models/tinystories-656k-exl2');
				console.log(JSON.stringify((await model.complete('Once upon a time', {maxTokens: 20, temperature: 0})).text));
				await model.dispose();
			};
			Promise.all([use('node-exllama'), use('second')]);
		`;
		const [one, other] = (await run(process.execPath, ['-e', code], {cwd: folder, env})).trim().split('\n');
		expect(one).toMatch(/.{20}/);
		expect(other).toBe(one);
	});

	it.each([
		['pnpm', ['add', '--ignore-scripts', 'node-exllama']],
		['yarn', ['add', '--ignore-scripts', '--non-interactive', 'node-exllama']],
	])('%s', async (manager, args) => {
		const folder = join(release.home, manager);
		mkdirSync(folder);
		writeFileSync(join(folder, 'package.json'), JSON.stringify({name: 'app', private: true}));
		const registry = ['--registry', release.registry.url];
		const store =
			manager === 'pnpm'
				? ['--store-dir', join(release.home, 'store')]
				: ['--cache-folder', join(release.home, 'yarn-cache')];
		await run(process.execPath, [tool(manager), ...args, ...registry, ...store], {cwd: folder, env});
		await writeLines(folder);
		expect(await run(process.execPath, ['lines.mjs'], {cwd: folder, env})).toMatch(told);
	});
});

describe.runIf(wanted)('tools', () => {
	it.each(['node16', 'bundler'])('TypeScript, moduleResolution %s', async resolution => {
		const folder = join(app, resolution);
		mkdirSync(folder);
		const code = `
			import {loadModel, memory, isExlError, type Model} from 'node-exllama';
			const model: Model = await loadModel('x', {device: 'cpu'});
			for await (const {text} of model.generate('y', {maxTokens: 1})) text.length;
			const bytes: number = memory.snapshot().devices['cpu']!.allocated;
			// @ts-expect-error: there is no such option
			await loadModel('x', {devices: 'cpu'});
			export {bytes, isExlError};
		`;
		writeFileSync(join(folder, 'consumer.mts'), code);
		const module = resolution === 'node16' ? 'node16' : 'esnext';
		const flags = [
			'--noEmit',
			'--strict',
			'--target',
			'es2022',
			'--lib',
			'es2023,esnext.disposable',
			'--types',
			'node',
			'--typeRoots',
			join(root, 'node_modules/@types'),
		];
		const args = [...flags, '--module', module, '--moduleResolution', resolution, 'consumer.mts'];
		await run(process.execPath, [join(tools, 'typescript-5/bin/tsc'), ...args], {cwd: folder, env});
	});

	it('are the types wrong?', async () => {
		const tarball = readdirSync(join(release.home, 'tarballs')).find(file => /^node-exllama-\d/.test(file))!;
		const args = [tool('attw'), '--no-emoji', '--format', 'ascii', join(release.home, 'tarballs', tarball)];
		expect(await inApp(process.execPath, ...args)).toContain('No problems found');
	});

	it('esbuild', async () => {
		const args = ['lines.mjs', '--bundle', '--platform=node', '--format=esm', '--external:node-exllama'];
		await inApp(join(tools, '@esbuild/linux-x64/bin/esbuild'), ...args, '--outfile=esbuild.mjs');
		expect(await inApp(process.execPath, 'esbuild.mjs')).toMatch(told);
	});

	it('webpack', async () => {
		const script = `
			require(${JSON.stringify(join(tools, 'webpack'))})({
				mode: 'production', target: 'node', context: process.cwd(), entry: './lines.cjs',
				externals: {'node-exllama': 'commonjs node-exllama', 'node-exllama/package.json': 'commonjs node-exllama/package.json'},
				output: {path: process.cwd(), filename: 'webpack.cjs'},
			}, (error, stats) => { if (error || stats.hasErrors()) { console.error(error ?? stats.toString()); process.exitCode = 1; } });
		`;
		writeFileSync(
			join(app, 'lines.cjs'),
			(await readmeLines('cjs')).replace(
				/require\.resolve/g,
				"require('node:module').createRequire(__filename).resolve",
			),
		);
		await inApp(process.execPath, '-e', script);
		const output = await inApp(
			process.execPath,
			'-e',
			"global.__filename = process.cwd() + '/x'; require('./webpack.cjs')",
		);
		expect(output).toMatch(told);
	});

	it('vite', async () => {
		const script = `
			import {build} from ${JSON.stringify(join(tools, 'vite/dist/node/index.js'))};
			await build({logLevel: 'error', build: {ssr: 'lines.mjs', outDir: 'vite', target: 'node20'}, ssr: {external: ['node-exllama']}});
		`;
		await inApp(process.execPath, '--input-type=module', '-e', script);
		const [built] = readdirSync(join(app, 'vite'));
		expect(await inApp(process.execPath, join('vite', built!))).toMatch(told);
	});
});

const qemu = (cpu: string) => `/usr/bin/qemu-${cpu}-static`;
const cpuTarget = "require('node-exllama').listDevices()[0].name.match(/\\((\\w+)\\)/)[1]";

describe.runIf(wanted)('other processors', () => {
	it.runIf(existsSync(qemu('x86_64')))('x64 without AVX', async () => {
		const emulated = ['-cpu', 'Nehalem', nodes[1]![1]];
		expect(await inApp(qemu('x86_64'), ...emulated, '-p', cpuTarget)).toBe('scalar\n');
		expect(await inApp(qemu('x86_64'), ...emulated, 'lines.mjs')).toMatch(told);
	});

	it.runIf(existsSync(qemu('aarch64')) && existsSync(join(root, 'prebuilds/linux-arm64')))('arm64', async () => {
		const folder = await release.install('arm64', ['--cpu=arm64', '--os=linux', '--libc=glibc']);
		await writeLines(folder);
		const emulated = ['-L', '/usr/aarch64-linux-gnu', join(tools, 'node-22-arm64/bin/node')];
		const there = (...args: string[]) =>
			run(qemu('aarch64'), [...emulated, ...args], {cwd: folder, env, timeout: 240_000});
		expect(await there('-p', cpuTarget)).toBe('neon\n');
		expect(await there('lines.mjs')).toMatch(told);
	});
});
