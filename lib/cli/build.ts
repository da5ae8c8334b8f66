import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {join} from 'node:path';
import {ExlError} from '../index.js';
import {packageRoot} from './package.js';
import type {Terminal} from './terminal.js';

/** Builds the addon from the sources in this package, for a system without a binary of its own. */
export async function build(terminal: Terminal): Promise<void> {
	const child = spawn(process.execPath, [join(packageRoot, 'scripts', 'build-native.cjs')], {
		stdio: ['ignore', 'inherit', 'inherit'],
		signal: terminal.signal,
	});
	const [status] = await once(child, 'close');
	if (status !== 0) throw new ExlError('EXL_NATIVE_NOT_FOUND', 'the addon was not built; the lines above say why');
	terminal.note(`Built ${join(packageRoot, 'build', 'Release')}, which is used from now on.`);
}
