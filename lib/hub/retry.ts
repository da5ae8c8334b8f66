import {setTimeout as sleep} from 'node:timers/promises';
import {ExlError} from '../errors/index.js';

/** A failure that may be gone at the next try. Its message is what the user reads if it is not. */
export class Transient extends Error {
	/** What the hub asked for. */
	readonly retryAfterMs: number | undefined;
	/** Whether the try received bytes; it then does not count as failed. */
	readonly progressed: boolean;

	constructor(
		message: string,
		options: {cause?: unknown; retryAfterMs?: number | undefined; progressed?: boolean} = {},
	) {
		super(message, {cause: options.cause});
		this.retryAfterMs = options.retryAfterMs;
		this.progressed = options.progressed ?? false;
	}
}

export type Patience = {
	/** Before the first retry; doubles with each. */
	readonly retryDelayMs: number;
	readonly signal: AbortSignal;
	/** Told before a wait. */
	readonly onWait?: ((why: string, milliseconds: number) => void) | undefined;
};

const mostTries = 5;
const longestWaitMs = 300_000;

/** Tries again what failed by a `Transient`. @throws {ExlError} `EXL_DOWNLOAD_FAILED` after five in a row. */
export async function persist<T>(attempt: () => Promise<T>, {retryDelayMs, signal, onWait}: Patience): Promise<T> {
	for (let tries = 1; ; tries++) {
		try {
			return await attempt();
		} catch (error) {
			signal.throwIfAborted();
			if (!(error instanceof Transient)) throw error;
			if (error.progressed) tries = 1;
			const wait = error.retryAfterMs ?? Math.min(30_000, retryDelayMs * 2 ** (tries - 1));
			if (tries === mostTries || wait > longestWaitMs) {
				throw new ExlError('EXL_DOWNLOAD_FAILED', error.message, {cause: error.cause});
			}
			onWait?.(error.message, wait);
			await sleep(wait, undefined, {signal}).catch(() => signal.throwIfAborted());
		}
	}
}

/** Seconds or a date. */
export function retryAfter(header: string | undefined, now: number = Date.now()): number | undefined {
	if (header === undefined) return undefined;
	const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
	return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
