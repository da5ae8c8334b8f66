import {callback, numberWhere, optionsOf, parseOptions} from '../options/index.js';
import {type MemorySnapshot, snapshot} from './snapshot.js';

/** How often to look at the memory, and what to do then. */
export type WatchOptions = {
	readonly intervalMs: number;
	/** Called with each snapshot. */
	readonly onSample: (sample: MemorySnapshot) => void;
};

const schema = optionsOf({
	intervalMs: numberWhere('a number from 1 to 2147483647', n => n >= 1 && n <= 2 ** 31 - 1),
	onSample: callback<WatchOptions['onSample']>(),
});

/** Takes a snapshot every `intervalMs` milliseconds until the returned function is called. Does not keep Node alive. @throws {ExlError} `EXL_INVALID_ARGUMENT`. */
export function watch(options: WatchOptions): () => void {
	const {intervalMs, onSample} = parseOptions(schema, options, 'memory.watch()');
	const timer = setInterval(() => onSample(snapshot()), intervalMs);
	timer.unref();
	return () => clearInterval(timer);
}
