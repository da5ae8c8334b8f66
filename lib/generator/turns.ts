import {setMaxListeners} from 'node:events';

/** Lets one holder at a time pass, in the order they came. */
export class Turns {
	#last: Promise<void> = Promise.resolve();

	/**
	Waits for everyone before; call the returned function to let the next one pass.

	@throws The signal's reason if it aborts while waiting.
	*/
	async wait(signal?: AbortSignal): Promise<() => void> {
		signal?.throwIfAborted();
		const before = this.#last;
		let pass = () => {};
		this.#last = new Promise(resolve => {
			pass = resolve;
		});
		try {
			await (signal ? abortable(before, signal) : before);
		} catch (reason) {
			before.then(pass);
			throw reason;
		}
		return pass;
	}
}

/** `promise`, or the signal's reason as soon as it aborts. */
export async function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
	signal.throwIfAborted();
	let abort = () => {};
	const aborted = new Promise<never>((_, reject) => {
		abort = () => reject(signal.reason);
		signal.addEventListener('abort', abort, {once: true});
	});
	try {
		await Promise.race([promise, aborted]);
	} finally {
		signal.removeEventListener('abort', abort);
	}
}

/** Any number of jobs may share one signal; Node would warn from the eleventh on. */
export function expectManyListeners(signal: AbortSignal): void {
	// A polyfill has no limit to raise.
	if (signal instanceof EventTarget) setMaxListeners(0, signal);
}

/**
A signal that aborts with the first of `signals`, until it is unlinked. Node keeps what `AbortSignal.any()` returns alive
as long as somebody listens to it, and with it a job whose reader has gone, and its model.
*/
export function firstOf(...signals: readonly (AbortSignal | undefined)[]): {signal: AbortSignal; unlink: () => void} {
	const controller = new AbortController();
	const {signal} = controller;
	const unlinks = signals.map(source => {
		if (source) expectManyListeners(source);
		const abort = () => controller.abort(source?.reason);
		if (source?.aborted) abort();
		else source?.addEventListener('abort', abort, {once: true});
		return () => source?.removeEventListener('abort', abort);
	});
	return {
		signal,
		unlink: () => {
			for (const unlink of unlinks) unlink();
		},
	};
}
