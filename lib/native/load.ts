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
	try {
		const explicit = process.env.EXL_ADDON_PATH;
		const gypBuild = require('node-gyp-build') as NodeGypBuild;
		const file = explicit ? path.resolve(explicit) : gypBuild.resolve(packageRoot);
		const native = require(file) as Addon & {initialize: (error: typeof ExlError) => void};
		native.initialize(ExlError);
		return native;
	} catch (cause) {
		const platform = `${process.platform}-${process.arch}, Node ${process.version}`;
		throw new ExlError(
			'EXL_NATIVE_NOT_FOUND',
			`no native build of node-exllama fits ${platform}; looked in ${path.join(packageRoot, 'build')} and ` +
				`${path.join(packageRoot, 'prebuilds')}. Build it with CMake and a C++20 compiler: npm rebuild node-exllama`,
			{cause},
		);
	}
}
