import {type ErrorCode, ExlError, isExlError} from '../errors/index.js';

/** An error as plain data. Structured clone would keep its message and lose its class, its code and its place. */
export type WireError =
	| {readonly kind: 'exl'; readonly code: ErrorCode; readonly op?: string | undefined; readonly error: Common}
	| {readonly kind: 'error'; readonly code: unknown; readonly error: Common}
	| {readonly kind: 'value'; readonly value: unknown};

type Common = {
	readonly name: string;
	readonly message: string;
	readonly stack: string | undefined;
	readonly cause: WireError | undefined;
};

/** A chain of causes may be a ring. */
const deepest = 8;

export function encodeError(error: unknown, depth = 0): WireError {
	if (!(error instanceof Error)) return {kind: 'value', value: primitive(error)};
	const {name, message, stack, cause} = error;
	const isWorthIt = cause !== undefined && depth < deepest;
	const common = {name, message, stack, cause: isWorthIt ? encodeError(cause, depth + 1) : undefined};
	if (isExlError(error)) return {kind: 'exl', code: error.code, op: error.op, error: common};
	return {kind: 'error', code: primitive((error as NodeJS.ErrnoException).code), error: common};
}

/** The stack is that of the child: where it happened. */
export function decodeError(wire: WireError): unknown {
	if (wire.kind === 'value') return wire.value;
	const {name, message, stack, cause} = wire.error;
	const options = {...(cause && {cause: decodeError(cause)})};
	const error =
		wire.kind === 'exl'
			? new ExlError(wire.code, message, {...options, ...(wire.op !== undefined && {op: wire.op})})
			: new Error(message, options);
	const hidden = {configurable: true, writable: true, enumerable: false};
	Object.defineProperty(error, 'stack', {value: stack, ...hidden});
	if (wire.kind === 'exl') return error;
	if (name !== 'Error') Object.defineProperty(error, 'name', {value: name, ...hidden});
	return wire.code === undefined ? error : Object.assign(error, {code: wire.code});
}

/** What structured clone takes whatever it is. */
function primitive(value: unknown): unknown {
	const isPlain = value === null || !['object', 'function', 'symbol'].includes(typeof value);
	return isPlain ? value : String(value);
}
