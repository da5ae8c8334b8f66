// @ts-check

// Lays out the packages of a release as they are published. The main one differs from the tree in its package.json: no
// scripts, and the packages with binaries as optional dependencies, which no lock file of the tree could name before they
// are published.

import {execFile} from 'node:child_process';
import {copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {packageName, platforms} from './platforms.mjs';

const require = createRequire(import.meta.url);
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

export const cudaPackageName = '@node-exllama/cuda-linux-x64';
export const cudaLibrary = 'linux-x64/libexl_cuda.so';

/** @param {string} folder @param {string[]} args */
async function npmJson(folder, args) {
	const shell = process.platform === 'win32';
	const {stdout} = await promisify(execFile)('npm', [...args, '--json', '--ignore-scripts'], {cwd: folder, shell});
	return JSON.parse(stdout);
}

/** Packs the package in `folder` into the folder `to`. @param {string} folder @param {string} to */
export async function pack(folder, to) {
	mkdirSync(to, {recursive: true});
	const [packed] = await npmJson(folder, ['pack', '--pack-destination', to]);
	return {file: path.join(to, packed.filename), ...packed};
}

/** The main package, laid out in `to`; `dist/` must be built. @param {string} to */
export async function stageMain(to) {
	const [{files}] = await npmJson(root, ['pack', '--dry-run']);
	for (const {path: file} of files) {
		mkdirSync(path.dirname(path.join(to, file)), {recursive: true});
		copyFileSync(path.join(root, file), path.join(to, file));
	}
	stageHeaders(path.join(to, 'node-api'));

	const {scripts, devDependencies, overrides, binary, ...kept} = manifest;
	writeManifest(to, {
		...kept,
		files: [...kept.files, 'node-api'],
		optionalDependencies: Object.fromEntries(platforms.map(one => [packageName(one), manifest.version])),
		// Only so that it is found from here in a layout that shows a package nothing but what it asks for.
		peerDependencies: {...kept.peerDependencies, [cudaPackageName]: manifest.version},
		peerDependenciesMeta: {...kept.peerDependenciesMeta, [cudaPackageName]: {optional: true}},
	});
	return to;
}

/** What a build from source includes of node-addon-api and node-api-headers. @param {string} to */
function stageHeaders(to) {
	mkdirSync(to, {recursive: true});
	const addonApi = path.dirname(require.resolve('node-addon-api/package.json'));
	const headers = path.dirname(require.resolve('node-api-headers/package.json'));
	for (const name of ['napi.h', 'napi-inl.h', 'napi-inl.deprecated.h'])
		copyFileSync(path.join(addonApi, name), path.join(to, name));
	cpSync(path.join(headers, 'include'), to, {recursive: true});
	copyFileSync(path.join(headers, 'def/node_api.def'), path.join(to, 'node_api.def'));
	copyFileSync(path.join(addonApi, 'LICENSE.md'), path.join(to, 'LICENSE.node-addon-api.md'));
	copyFileSync(path.join(headers, 'LICENSE'), path.join(to, 'LICENSE.node-api-headers'));
}

/**
 * A package with one binary, in the layout that node-gyp-build looks for. The file has no libc in its name: the package is
 * of one, and node-gyp-build knows musl only on Alpine.
 *
 * @param {import('./platforms.mjs').Platform} platform
 * @param {string} addon
 * @param {string} to
 */
export function stagePlatform({name, os, cpu, libc}, addon, to) {
	stageBinary(to, addon, `${os}-${cpu}/node-exllama.node`, {
		name: `@node-exllama/${name}`,
		description: `The native code of node-exllama for ${name}`,
		os: [os],
		cpu: [cpu],
		...(libc && {libc: [libc]}),
	});
	return to;
}

/** @param {string} library @param {string} to */
export function stageCuda(library, to) {
	stageBinary(to, library, cudaLibrary, {
		name: cudaPackageName,
		description: 'The CUDA backend of node-exllama for Linux on x64; needs an NVIDIA driver and nothing else',
		os: ['linux'],
		cpu: ['x64'],
		libc: ['glibc'],
	});
	return to;
}

/** @param {string} to @param {string} file @param {string} name below prebuilds/ @param {Record<string, unknown>} fields */
function stageBinary(to, file, name, {name: packageName, description, ...fields}) {
	const target = path.join(to, 'prebuilds', name);
	rmSync(to, {recursive: true, force: true});
	mkdirSync(path.dirname(target), {recursive: true});
	copyFileSync(file, target);
	for (const licence of ['LICENSE', 'NOTICE']) copyFileSync(path.join(root, licence), path.join(to, licence));
	writeFileSync(
		path.join(to, 'README.md'),
		`# ${packageName}\n\n${description}. It is installed by or beside \`node-exllama\`.\n`,
	);
	const {version, license, engines} = manifest;
	writeManifest(to, {
		name: packageName,
		version,
		description,
		license,
		engines,
		type: 'commonjs',
		...fields,
		files: ['prebuilds', 'NOTICE'],
		// A shared library cannot be opened inside an archive.
		preferUnplugged: true,
		publishConfig: {access: 'public'},
		// What lib/native/find.ts looks for before it loads the file.
		bytes: statSync(file).size,
	});
}

/** @param {string} folder @param {Record<string, unknown>} fields */
function writeManifest(folder, fields) {
	writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(fields, undefined, '\t')}\n`);
}
