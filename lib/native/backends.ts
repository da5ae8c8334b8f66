import type {BackendInfo} from './addon.js';
import {addon} from './load.js';

/** Where libraries with backends are looked for: `EXL_BACKEND_PATH`, a file or a folder; empty: beside the addon. */
export function backendPlace(): string {
	return process.env.EXL_BACKEND_PATH ?? '';
}

export function findBackends(): BackendInfo[] {
	return addon().backends(backendPlace());
}
