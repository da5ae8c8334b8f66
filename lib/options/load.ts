import * as v from 'valibot';
import type {Logger} from '../log/index.js';
import {type DeviceName, deviceName} from './device.js';
import {parseOptions} from './parse.js';
import {callback, integer, oneOf, optionsOf} from './schemas.js';
import {abortSignal} from './signal.js';

/** See `LoadOptions.cache`. */
export type CacheTypeName = (typeof cacheTypes)[number];

/** From the most to the fewest bytes. */
export const cacheTypes = ['fp16', 'fp8', 'q8', 'q6', 'q4'] as const;

/** See `LoadOptions.loader`. */
export type LoaderName = 'direct' | 'buffered' | 'mmap';

/** See `LoadOptions.isolation`. */
export type Isolation = 'none' | 'process';

/** How far loading a model has come. */
export type LoadProgress = {
	readonly phase: string;
	/** Bytes so far. */
	readonly loaded: number;
	/** Bytes in all. */
	readonly total: number;
};

/** How a model is loaded. */
export type LoadOptions = {
	/** @default 'auto': the first usable GPU, else the CPU. */
	readonly device?: DeviceName | undefined;

	/** Threads of the CPU backend, 1 to 256. @default one per physical core */
	readonly threads?: number | undefined;

	readonly cache?:
		| {
				/** Tokens the key/value cache holds, all jobs together: 1 to 2^24. @default 8192, less for models of a short context */
				readonly tokens?: number | undefined;
				/**
				How keys and values are stored. `q8` and `q4` have 8 and 4 bits per element, `q6` has 8 for keys and 4 for values,
				each with a 16-bit scale per group of up to 32 elements; their heads are a multiple of 8 elements. `fp8` has 8
				bits and no scales.
				@default 'fp16'
				*/
				readonly type?: CacheTypeName | undefined;
		  }
		| undefined;

	/** Jobs that run side by side in one step, 1 to 256; others wait for their turn. @default 16 */
	readonly maxBatch?: number | undefined;

	/**
	A smaller model with the same vocabulary that guesses tokens, several of which this one then checks in a single step:
	the text is the same, and sooner there. Its weights and a cache of as many tokens are loaded, too.
	@default none
	*/
	readonly draft?: string | undefined;

	/**
	How weights are read. `direct` bypasses the page cache; `buffered` goes through it and drops the pages afterwards;
	`mmap` leaves plain weights in the file, shared with other processes that map it.
	@default 'direct'
	*/
	readonly loader?: LoaderName | undefined;

	/**
	`process` runs the model in a child process: a crash of native code ends that process and not this one, and `dispose()`
	gives everything back by ending it.
	@default 'none'
	*/
	readonly isolation?: Isolation | undefined;

	readonly signal?: AbortSignal | undefined;

	/** Called while weights are read. @default none */
	readonly onProgress?: ((progress: LoadProgress) => void) | undefined;

	/**
	Told what no call answers, one line each, while the model is loaded: the device that was taken and why, what is created
	and disposed of, ways that are slower than the best. `console` will do. The environment variable `EXL_LOG` shows the
	same on stderr: `device`, `memory` and `model`, separated by commas, or `all`.
	@default none: nothing is written
	*/
	readonly logger?: Logger | undefined;
};

export type ResolvedLoadOptions = {
	readonly device: DeviceName;
	readonly threads?: number | undefined;
	readonly cache: {readonly tokens?: number | undefined; readonly type: CacheTypeName};
	readonly maxBatch: number;
	readonly draft?: string | undefined;
	readonly loader: LoaderName;
	readonly isolation: Isolation;
	readonly signal?: AbortSignal | undefined;
	readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
	readonly logger?: Logger | undefined;
};

const isLogger = (value: unknown) =>
	typeof value === 'object' &&
	value !== null &&
	['debug', 'info', 'warn', 'error'].every(level => typeof (value as Record<string, unknown>)[level] === 'function');

/** Of the CPU backend. */
export const threadCount: v.GenericSchema<number> = integer(1, 256);

const schema = optionsOf({
	device: v.optional(deviceName, 'auto'),
	threads: v.optional(threadCount),
	cache: v.optional(
		optionsOf({
			tokens: v.optional(integer(1, 2 ** 24)),
			type: v.optional(oneOf(cacheTypes), 'fp16'),
		}),
		{},
	),
	maxBatch: v.optional(integer(1, 256), 16),
	draft: v.optional(
		v.custom<string>(value => typeof value === 'string' && value !== '', 'a model directory or the name of a model'),
	),
	loader: v.optional(oneOf(['direct', 'buffered', 'mmap']), 'direct'),
	isolation: v.optional(oneOf(['none', 'process']), 'none'),
	signal: v.optional(abortSignal),
	onProgress: v.optional(callback<(progress: LoadProgress) => void>()),
	logger: v.optional(v.custom<Logger>(isLogger, 'an object with debug, info, warn and error, such as console')),
}) satisfies v.GenericSchema<LoadOptions, ResolvedLoadOptions>;

/**
Checks the options of `loadModel()` and fills in defaults.

@throws {ExlError} `EXL_INVALID_ARGUMENT`.
*/
export function parseLoadOptions(input: unknown = {}): ResolvedLoadOptions {
	return parseOptions(schema, input, 'loadModel()');
}

/**
Checks options as `loadModel()` does, and loads nothing: for forms and command lines.

@throws {ExlError} `EXL_INVALID_ARGUMENT`.
*/
export function checkLoadOptions(options?: LoadOptions): void {
	parseLoadOptions(options);
}
