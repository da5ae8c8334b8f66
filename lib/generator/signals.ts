import {setMaxListeners} from 'node:events';

/** Any number of jobs may share one signal; Node would warn from the eleventh on. */
export function expectManyListeners(signal: AbortSignal): void {
	// A polyfill has no limit to raise.
	if (signal instanceof EventTarget) setMaxListeners(0, signal);
}

/** Calls back when the signal aborts, at once if it has. Call the returned function when that is of no interest any more. */
export function onAbort(signal: AbortSignal | undefined, abort: (reason: unknown) => void): () => void {
	if (!signal) return () => {};
	expectManyListeners(signal);
	const listener = () => abort(signal.reason);
	if (signal.aborted) listener();
	else signal.addEventListener('abort', listener, {once: true});
	return () => signal.removeEventListener('abort', listener);
}
