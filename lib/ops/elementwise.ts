import {record, type Value} from '../program/index.js';

/** `a + b`, of one shape. */
export function add(a: Value, b: Value): Value {
	return record('add', {a, b});
}

/** `gate / (1 + exp(-gate)) * up`, of one shape. */
export function siluMul(gate: Value, up: Value): Value {
	return record('silu_mul', {gate, up});
}
