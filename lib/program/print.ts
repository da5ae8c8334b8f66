import {CacheLayer, External, type Operand, Slot, Value} from './operand.js';
import type {RecordedOp} from './recorder.js';
import {shapeText} from './shape.js';

/** A program as text, one op per line: readable, and good to diff. */
export function printOps(ops: readonly RecordedOp[]): string {
	return ops.map(printOp).join('\n');
}

function printOp({op, path, inputs, outputs, attributes}: RecordedOp): string {
	const results = outputs.map(value => `%${value.id} ${shapeText(value.shape)} = `).join(', ');
	const settings = Object.entries(attributes).map(([name, value]) => `${name}=${value}`);
	const operands = inputs.filter(input => input !== undefined).map(printOperand);
	return `${results}${op}(${[...operands, ...settings].join(', ')})  # ${path}`;
}

function printOperand(operand: Operand): string {
	if (operand instanceof External) return `@${operand.path}`;
	if (operand instanceof Value) return `%${operand.id}`;
	if (operand instanceof Slot) return `$${operand.name}`;
	if (operand instanceof CacheLayer) return `cache[${operand.layer}]`;
	return operand.path;
}
