import path from 'node:path';
import {ExlError} from '../errors/index.js';
import type {Addon} from './addon.js';

type NodeGypBuild = ((directory: string) => unknown) & {resolve: (directory: string) => string};

/** The package: this file is `dist/native/load.js`, or `lib/native/load.ts` in tests. */
export const packageRoot: string = path.resolve(__dirname, '../..');

let loaded: Addon | undefined;

/**
The native addon, loaded on first use: `EXL_ADDON_PATH` if it is set, else a local build, else the prebuild of this
platform.

@throws {ExlError} `EXL_NATIVE_NOT_FOUND`.
*/
export function addon(): Addon {
	loaded ??= load();
	return loaded;
}

function load(): Addon {
	const file = addonFile();
	const native: {exports: Partial<Addon> & {initialize?: (error: typeof ExlError) => void}} = {exports: {}};
	try {
		// Not require(), which takes a file of another name for JavaScript.
		process.dlopen(native, path.toNamespacedPath(file));
		if (!native.exports.initialize) throw new Error('it is not an addon of node-exllama');
		native.exports.initialize(ExlError);
	} catch (cause) {
		const advice = process.env.EXL_ADDON_PATH ? 'correct or unset EXL_ADDON_PATH' : 'npm rebuild node-exllama';
		throw notFound(`${file} cannot be loaded on ${platform} (${advice}): ${reasonOf(cause)}`, cause);
	}
	return native.exports as Addon;
}

/** What is loaded: the file that `EXL_ADDON_PATH` names, or the first build that fits. */
function addonFile(): string {
	if (process.env.EXL_ADDON_PATH) return path.resolve(process.env.EXL_ADDON_PATH);
	try {
		return (require('node-gyp-build') as NodeGypBuild).resolve(packageRoot);
	} catch (cause) {
		const places = `${path.join(packageRoot, 'build')} and ${path.join(packageRoot, 'prebuilds')}`;
		const advice = 'build it with CMake and a C++20 compiler: npm rebuild node-exllama';
		throw notFound(
			`no native build of node-exllama fits ${platform}; looked in ${places}; ${advice}: ${reasonOf(cause)}`,
			cause,
		);
	}
}

const platform = `${process.platform}-${process.arch}, Node ${process.version}`;

function notFound(message: string, cause: unknown): ExlError {
	return new ExlError('EXL_NATIVE_NOT_FOUND', message, {cause});
}

/** What the system's loader said, on one line. */
function reasonOf(cause: unknown): string {
	return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0]!;
}
