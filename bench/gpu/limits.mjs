// @ts-check

import {compileProgram, runProgram} from './programs.mjs';

/** @typedef {{readBytesPerSecond: number, copyBytesPerSecond: number, halfFlopsPerSecond: number}} Limits */

/** Compiles limits.cu and runs it. Where there is no nvcc or no cuBLAS it says so. @returns {Limits | undefined} */
export function measureLimits() {
	try {
		return JSON.parse(runProgram(compileProgram('limits')).stdout);
	} catch (error) {
		console.error(`no limits to compare with: ${/** @type {Error} */ (error).message}`);
		return undefined;
	}
}
