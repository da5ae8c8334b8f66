import {AsyncLocalStorage} from 'node:async_hooks';
import {dirname, sep} from 'node:path';
import {log} from '../log/index.js';
import {parseArgument, trueOrFalse} from '../options/index.js';
import {reportLeak} from './leak.js';

/** What a public object holds, apart from the object itself, so that it can be given back when the object is gone. */
export type Resource = {
	/** The class users see: `Model`. */
	readonly kind: string;
	/** As the ledger's owners begin: `model#1`. */
	readonly name: string;
	/** Bytes on the ledger. */
	readonly bytes: () => number;
	/** Must not refer to the public object. */
	readonly release: () => void | Promise<void>;
};

export type Disposable = {dispose(): void | Promise<void>};

export type Tracked = {readonly resource: Resource; readonly stack?: string};

/** Where objects are disposed of together; see `scope()`. */
export const currentScope = new AsyncLocalStorage<{add(object: Disposable): void}>();

/** Live resources by name, for whoever asks where they were created. */
const live = new Map<string, Tracked>();

/**
Resources of objects that were collected without `dispose()`. It lives in the module: a registry that only the objects
it watches keep alive never fires.
*/
const registry = new FinalizationRegistry<Tracked>(tracked => {
	live.delete(tracked.resource.name);
	try {
		reportLeak(tracked);
	} finally {
		// A listener that throws does not keep the memory.
		void tracked.resource.release();
	}
});

let stacks = false;

/** Whether objects remember where they were created; costs some microseconds each. @throws {ExlError} `EXL_INVALID_ARGUMENT`. */
export function trackStacks(on: boolean): void {
	stacks = parseArgument(trueOrFalse, on, 'on', 'memory.trackStacks()');
}

/** Where the resource of this name was created, if it is tracked. */
export function stackOf(name: string): string | undefined {
	return live.get(name)?.stack;
}

/** Watches over an object until it is disposed of; call the returned function then. */
export function track(object: Disposable & object, resource: Resource): () => void {
	const tracked = stacks ? {resource, stack: creationStack()} : {resource};
	live.set(resource.name, tracked);
	registry.register(object, tracked, tracked);
	currentScope.getStore()?.add(object);
	log('memory', 'debug', () => `${resource.name} created, ${resource.bytes()} bytes`);
	return () => {
		registry.unregister(tracked);
		live.delete(resource.name);
		log('memory', 'debug', () => `${resource.name} disposed`);
	};
}

/** This package's own files. */
const library = dirname(__dirname) + sep;

/** The caller's frames, ours left out. */
function creationStack(): string {
	const {stackTraceLimit} = Error;
	Error.stackTraceLimit = 30;
	const [, ...lines] = new Error().stack?.split('\n') ?? [];
	Error.stackTraceLimit = stackTraceLimit;
	const first = lines.findIndex(line => !line.includes(library));
	return lines
		.slice(first)
		.map(line => line.trim())
		.join('\n');
}
