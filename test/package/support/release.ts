import {execFile, execFileSync} from 'node:child_process';
import {cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, dirname, join} from 'node:path';
import {promisify} from 'node:util';
import {hostPlatform, packageName, platforms} from '../../../scripts/release/platforms.mjs';
import {cudaPackageName, pack, stageMain, stagePlatform} from '../../../scripts/release/stage.mjs';
import {type Manifest, Registry} from './registry.js';

export const root = join(import.meta.dirname ?? __dirname, '../../..');

/** Of the output of a command that failed. */
export interface Failure {
	readonly stdout: string;
	readonly stderr: string;
	readonly code: number;
}

/** A release of this tree, published in a registry of its own; everything is below `home`. */
export interface Release {
	readonly home: string;
	readonly registry: Registry;
	/** Bytes of the packed and unpacked packages, by name. */
	readonly sizes: Readonly<Record<string, {size: number; unpackedSize: number}>>;
	/** An empty folder with the package installed. */
	install(name: string, flags?: readonly string[]): Promise<string>;
	remove(): void;
}

/**
 * Environment of a user's machine: nothing of this tree, and no programs but Node's own and the system's basic ones. So
 * there is no compiler, and npm knows no registry but the given one.
 */
export function cleanEnvironment(home: string, registry: string): NodeJS.ProcessEnv {
	const kept = ['HOME', 'LANG', 'SystemRoot', 'TEMP', 'TMP', 'APPDATA'];
	return {
		...Object.fromEntries(kept.map(name => [name, process.env[name]])),
		HOME: home,
		PATH: process.platform === 'win32' ? dirname(process.execPath) : join(home, 'bin'),
		npm_config_registry: registry,
		npm_config_cache: join(home, 'cache'),
		npm_config_audit: 'false',
		npm_config_fund: 'false',
		npm_config_update_notifier: 'false',
	};
}

/** Runs a command; a failure rejects with `Failure`. */
export async function run(
	command: string,
	args: readonly string[],
	options: {cwd: string; env: NodeJS.ProcessEnv; timeout?: number},
): Promise<string> {
	const shell = process.platform === 'win32';
	const {stdout} = await promisify(execFile)(command, args as string[], {...options, shell, maxBuffer: 1 << 26});
	return stdout;
}

/** Publishes the tree with `addons` as the binaries of platforms, by name; by default that of this build for this system. */
export async function publish(addons: Readonly<Record<string, string>> = {}): Promise<Release> {
	const home = mkdtempSync(join(tmpdir(), 'node-exllama-package-'));
	const registry = new Registry();
	await registry.listen();
	const sizes: Record<string, {size: number; unpackedSize: number}> = {};

	const add = async (folder: string) => {
		const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
		const {file, size, unpackedSize} = await pack(folder, join(home, 'tarballs'));
		sizes[manifest.name] = {size, unpackedSize};
		registry.publish(manifest, file);
	};
	await add(await stageMain(join(home, 'stage/node-exllama')));
	const {version} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
	const builds = hostPlatform() ? {[hostPlatform()!.name]: ownBuild(), ...addons} : addons;
	for (const platform of platforms) {
		const build = builds[platform.name];
		const {os, cpu, libc} = platform;
		if (build) await add(stagePlatform(platform, build, join(home, 'stage', platform.name)));
		else registry.publish({name: packageName(platform), version, os: [os], cpu: [cpu], ...(libc && {libc: [libc]})});
	}
	registry.publish({name: cudaPackageName, version});
	for (const folder of dependencies()) publishFolder(registry, folder, join(home, 'tarballs'));
	linkPrograms(join(home, 'bin'));

	return {
		home,
		registry,
		sizes,
		remove: () => {
			registry.close();
			rmSync(home, {recursive: true, force: true});
		},
		install: async (name, flags = []) => {
			const app = join(home, name);
			mkdirSync(app, {recursive: true});
			writeFileSync(join(app, 'package.json'), JSON.stringify({name: 'app', private: true}));
			const env = cleanEnvironment(home, registry.url);
			await run('npm', ['install', '--ignore-scripts', ...flags, 'node-exllama'], {cwd: app, env});
			return app;
		},
	};
}

/** All that is on the path of a user: Node's own programs, and the shell that npx starts. */
function linkPrograms(bin: string): void {
	mkdirSync(bin);
	if (process.platform === 'win32') return;
	symlinkSync(process.execPath, join(bin, 'node'));
	symlinkSync('/bin/sh', join(bin, 'sh'));
	for (const name of ['npm', 'npx']) symlinkSync(join(dirname(process.execPath), name), join(bin, name));
}

function ownBuild(): string {
	return process.env.EXL_ADDON_PATH ?? join(root, 'build/Release/node-exllama.node');
}

/** The folders of what the package depends on, as they are installed in the tree. */
function dependencies(): string[] {
	const shell = process.platform === 'win32';
	const listed = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
		cwd: root,
		shell,
		encoding: 'utf8',
	});
	return listed.trim().split(/\r?\n/).slice(1);
}

function publishFolder(registry: Registry, folder: string, to: string): void {
	const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
	const copy = mkdtempSync(join(to, 'dependency-'));
	cpSync(folder, join(copy, 'package'), {
		recursive: true,
		filter: file => basename(file) !== 'node_modules' || file === folder,
	});
	const tarball = join(to, `${manifest.name.replace('/', '-').replace('@', '')}-${manifest.version}.tgz`);
	execFileSync('tar', ['-czf', tarball, '-C', copy, 'package']);
	rmSync(copy, {recursive: true});
	registry.publish(manifest, tarball);
}
