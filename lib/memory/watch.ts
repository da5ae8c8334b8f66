import {ExlError} from '../errors/index.js';
import {type MemorySnapshot, snapshot} from './snapshot.js';

export type WatchOptions = {
	readonly intervalMs: number;
	readonly onSample: (sample: MemorySnapshot) => void;
};

/** Takes a snapshot every `intervalMs` milliseconds until the returned function is called. Does not keep Node alive. */
export function watch(options: WatchOptions): () => void {
	const {intervalMs, onSample}: Partial<WatchOptions> = options ?? {};
	if (!(typeof intervalMs === 'number' && intervalMs >= 1 && intervalMs <= 2 ** 31 - 1)) {
		throw new ExlError(
			'EXL_INVALID_ARGUMENT',
			`intervalMs must be a number from 1 to 2147483647; got ${String(intervalMs)}`,
		);
	}
	if (typeof onSample !== 'function') throw new ExlError('EXL_INVALID_ARGUMENT', 'onSample must be a function');
	const timer = setInterval(() => onSample(snapshot()), intervalMs);
	timer.unref();
	return () => clearInterval(timer);
}
