import * as v from 'valibot';
import {ExlError} from '../errors/index.js';
import {optionsOf} from './schemas.js';

const isSignal = (value: unknown) => {
	const signal = value as Partial<AbortSignal> | null;
	return typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function';
};

/** Recognised by what it can do: a signal of another realm or of a polyfill is as good. */
export const abortSignal: v.GenericSchema<AbortSignal> = v.pipe(
	v.custom<AbortSignal>(isSignal, 'an AbortSignal'),
	v.transform(signal => (typeof signal.throwIfAborted === 'function' ? signal : adopted(signal))),
);

/** What calls take that have no other option. */
export type SignalOptions = {readonly signal?: AbortSignal | undefined};

export const onlySignal: v.GenericSchema<SignalOptions> = optionsOf({signal: v.optional(abortSignal)});

const known = new WeakMap<AbortSignal, AbortSignal>();

/** A signal that follows one of a polyfill, which may have neither `throwIfAborted` nor a reason. */
function adopted(signal: AbortSignal): AbortSignal {
	const before = known.get(signal);
	if (before) return before;
	const controller = new AbortController();
	const abort = () =>
		controller.abort(signal.reason ?? new ExlError('EXL_ABORTED', 'the call was aborted and no reason was given'));
	if (signal.aborted) abort();
	else signal.addEventListener('abort', abort);
	known.set(signal, controller.signal);
	return controller.signal;
}
