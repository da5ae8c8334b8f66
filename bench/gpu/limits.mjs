// @ts-check

import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

/** @typedef {{copyBytesPerSecond: number, halfFlopsPerSecond: number}} Limits */

/** Compiles limits.cu and runs it. Where there is no nvcc or no cuBLAS it says so. @returns {Limits | undefined} */
export function measureLimits() {
	const folder = mkdtempSync(join(tmpdir(), 'exl-limits-'));
	try {
		const program = join(folder, 'limits');
		const source = fileURLToPath(new URL('limits.cu', import.meta.url));
		execFileSync('nvcc', ['-O3', '-o', program, source, '-lcublas'], {stdio: 'inherit'});
		return JSON.parse(execFileSync(program, {encoding: 'utf8'}));
	} catch (error) {
		console.error(`no limits to compare with: ${/** @type {Error} */ (error).message}`);
		return undefined;
	} finally {
		rmSync(folder, {recursive: true});
	}
}
