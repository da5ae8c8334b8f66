import {loadModel, type Model} from '../index.js';
import {type CommonFlags, loadOptions} from './flags.js';
import {Progress} from './progress.js';
import type {Terminal} from './terminal.js';

/** Loads a model for the time `use` takes. */
export async function withModel<T>(
	name: string,
	flags: CommonFlags,
	terminal: Terminal,
	use: (model: Model) => Promise<T>,
): Promise<T> {
	const progress = new Progress('loading');
	let model: Model;
	try {
		model = await loadModel(name, {
			...loadOptions(flags),
			signal: terminal.signal,
			onProgress: ({loaded, total}) => progress.update(loaded, total),
		});
	} finally {
		progress.stop();
	}
	try {
		return await use(model);
	} finally {
		await model.dispose();
	}
}
