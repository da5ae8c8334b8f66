import type {ErrorCode} from './codes.js';

const brand = Symbol.for('node-exllama.error');

/** What an `ExlError` may say besides its message. */
export type ExlErrorOptions = {
	/** Where it happened, as a path of names: `model.layers.3.mlp.gate_proj`. */
	readonly op?: string;
	readonly cause?: unknown;
};

/** The one error class of this library. Recognise it with `isExlError`, which works across duplicate installs. */
export class ExlError extends Error {
	override readonly name = 'ExlError';
	readonly code: ErrorCode;
	declare readonly op?: string;

	/** @param options `op` and `cause` of the error. */
	constructor(code: ErrorCode, message: string, {op, cause}: ExlErrorOptions = {}) {
		super(message, cause === undefined ? undefined : {cause});
		this.code = code;
		if (op !== undefined) this.op = op;
		Object.defineProperty(this, brand, {value: true});
	}
}

/** Whether `value` is an `ExlError`, whichever copy of the package made it. */
export function isExlError(value: unknown): value is ExlError {
	return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true;
}
