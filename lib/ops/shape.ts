import type {Value} from '../program/index.js';

/** Cuts each row into heads: `[rows, heads * dim]` to `[rows, heads, dim]`. Nothing is moved. */
export function heads(x: Value, count: number): Value {
	const [rows, columns] = x.shape as readonly ['rows', number];
	return x.view([rows, count, columns / count]);
}

/** Joins heads: `[rows, heads, dim]` to `[rows, heads * dim]`. Nothing is moved. */
export function flat(x: Value): Value {
	const [rows, ...rest] = x.shape as readonly ['rows', ...number[]];
	return x.view([rows, rest.reduce((a, b) => a * b)]);
}
