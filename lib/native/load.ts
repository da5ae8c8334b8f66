import path from 'node:path';
import {ExlError} from '../errors/index.js';
import {log} from '../log/index.js';
import type {Addon} from './addon.js';
import {addonFile, notFound, reasonOf, systemName} from './find.js';

type Initialize = (error: typeof ExlError, notify: (device: string, text: string) => void) => void;

let loaded: {readonly addon: Addon; readonly file: string} | undefined;

/**
The native addon, loaded on first use.

@throws {ExlError} `EXL_NATIVE_NOT_FOUND`.
*/
export function addon(): Addon {
	loaded ??= load();
	return loaded.addon;
}

/** The file that `addon()` is loaded from. */
export function loadedFile(): string {
	loaded ??= load();
	return loaded.file;
}

function load(): {addon: Addon; file: string} {
	const file = addonFile();
	const native: {exports: Partial<Addon> & {initialize?: Initialize}} = {exports: {}};
	try {
		// Not require(), which takes a file of another name for JavaScript.
		process.dlopen(native, path.toNamespacedPath(file));
		if (!native.exports.initialize) throw new Error('it is not an addon of node-exllama');
		native.exports.initialize(ExlError, (device, text) => log('device', 'warn', () => `${device}: ${text}`));
	} catch (cause) {
		const advice = process.env.EXL_ADDON_PATH
			? 'correct or unset EXL_ADDON_PATH'
			: 'install node-exllama again, or build it: npx node-exllama build';
		const where = `${systemName()}, Node ${process.version}`;
		throw notFound(`${file} cannot be loaded on ${where} (${advice}): ${reasonOf(cause)}`, cause);
	}
	return {addon: native.exports as Addon, file};
}
