import {EventEmitter} from 'node:events';
import {ExlError} from '../errors/index.js';
import {logMemory} from './log.js';
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

/** Calls `listener` whenever something was collected without `dispose()`. */
export function on(event: 'leak', listener: (report: LeakReport) => void): void {
	if (event !== 'leak' || typeof listener !== 'function') {
		throw new ExlError('EXL_INVALID_ARGUMENT', "memory.on() takes 'leak' and a function");
	}
	emitter.on(event, listener);
}

export function off(event: 'leak', listener: (report: LeakReport) => void): void {
	emitter.off(event, listener);
}

export function reportLeak({resource, stack}: Tracked): void {
	const {kind, name} = resource;
	const report: LeakReport = {kind, name, bytes: resource.bytes(), ...(stack !== undefined && {stack})};
	logMemory(`${name} was collected without dispose(), ${report.bytes} bytes`);
	if (emitter.emit('leak', report) || report.bytes < warnBytes) return;
	const where = stack === undefined ? 'memory.trackStacks(true) tells where it was created' : stack;
	process.emitWarning(`${name} (${kind}, ${report.bytes} bytes) was collected without dispose(); ${where}`, {
		type: 'ExlLeakWarning',
	});
}
