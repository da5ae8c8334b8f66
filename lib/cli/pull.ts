import {pull as download} from '../hub/index.js';
import type {CommonFlags} from './flags.js';
import {bytes} from './format.js';
import {Progress} from './progress.js';
import type {Terminal} from './terminal.js';

export type PullFlags = CommonFlags & {readonly include?: string[]; readonly exclude?: string[]};

export async function pull(name: string, flags: PullFlags, terminal: Terminal): Promise<void> {
	const progress = new Progress(`pulling ${name}`, {show: bytes});
	try {
		const pulled = await download(name, {
			include: flags.include,
			exclude: flags.exclude,
			signal: terminal.signal,
			onProgress: (loaded, total) => progress.update(loaded, total),
			onNote: note => {
				// The bar comes back below the line.
				progress.stop();
				terminal.note(note);
			},
		});
		progress.stop();
		if (flags.json) return await terminal.writeJson(pulled);
		const {files, downloadedBytes} = pulled;
		if (files.length > 0) terminal.note(`${files.length} files, ${bytes(downloadedBytes)} downloaded`);
		await terminal.write(`${pulled.directory}\n`);
	} finally {
		progress.stop();
	}
}
