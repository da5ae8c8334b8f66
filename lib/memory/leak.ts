import {EventEmitter} from 'node:events';
import {log} from '../log/index.js';
import {callback, oneOf, parseArgument} from '../options/index.js';
import type {Tracked} from './resource.js';

/** An object that was collected without `dispose()`. What it held has been given back. */
export type LeakReport = {
	/** `Model`, `Tensor`, `QuantMatrix` or `KvCache`. */
	readonly kind: string;
	/** `model#1` */
	readonly name: string;
	readonly bytes: number;
	/** Where it was created, with `memory.trackStacks(true)`. */
	readonly stack?: string;
};

/** Below this a leak nobody listens for is not worth a line on stderr. */
const warnBytes = 2 ** 20;

const emitter = new EventEmitter();

type Listener = (report: LeakReport) => void;

const eventName = oneOf(['leak']);
const anyListener = callback<Listener>();

/** Calls `listener` whenever something was collected without `dispose()`. @throws {ExlError} `EXL_INVALID_ARGUMENT`. */
export function on(event: 'leak', listener: Listener): void {
	check('memory.on()', event, listener);
	emitter.on(event, listener);
}

/** Calls it no more. @throws {ExlError} `EXL_INVALID_ARGUMENT`. */
export function off(event: 'leak', listener: Listener): void {
	check('memory.off()', event, listener);
	emitter.off(event, listener);
}

function check(what: string, event: unknown, listener: unknown): void {
	parseArgument(eventName, event, 'event', what);
	parseArgument(anyListener, listener, 'listener', what);
}

export function reportLeak({resource, stack}: Tracked): void {
	const {kind, name} = resource;
	const report: LeakReport = {kind, name, bytes: resource.bytes(), ...(stack !== undefined && {stack})};
	log('memory', 'warn', () => `${name} was collected without dispose(), ${report.bytes} bytes`);
	if (emitter.emit('leak', report) || report.bytes < warnBytes) return;
	const where = stack === undefined ? 'memory.trackStacks(true) tells where it was created' : stack;
	process.emitWarning(`${name} (${kind}, ${report.bytes} bytes) was collected without dispose(); ${where}`, {
		type: 'ExlLeakWarning',
	});
}
