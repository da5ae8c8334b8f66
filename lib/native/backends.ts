import {existsSync} from 'node:fs';
import path from 'node:path';
import type {BackendInfo} from './addon.js';
import {packageFolder} from './find.js';
import {addon, loadedFile} from './load.js';

const library = process.platform === 'win32' ? 'exl_cuda.dll' : 'libexl_cuda.so';

/**
Where libraries with backends are looked for: `EXL_BACKEND_PATH`, a file or a folder; else beside the addon, which is what an
empty place means; else in the package that a user installs for it.
*/
export function backendPlace(): string {
	if (process.env.EXL_BACKEND_PATH !== undefined) return process.env.EXL_BACKEND_PATH;
	if (existsSync(path.join(path.dirname(loadedFile()), library))) return '';
	const name = `${process.platform}-${process.arch}`;
	const folder = packageFolder(`@node-exllama/cuda-${name}`);
	return folder === undefined ? '' : path.join(folder, 'prebuilds', name, library);
}

export function findBackends(): BackendInfo[] {
	return addon().backends(backendPlace());
}
