import {ExlError, isExlError} from '../errors/index.js';
import {addon, type OpDeclaration} from '../native/index.js';
import {CacheLayer, type Operand, Slot, Value, Weight} from './operand.js';
import {type Dim, fromWire, toWire} from './shape.js';

export type Attributes = Readonly<Record<string, number>>;

export type RecordedOp = {
	readonly op: string;
	readonly path: string;
	/** In the order of the declaration; undefined where an optional input is left out. */
	readonly inputs: readonly (Operand | undefined)[];
	readonly outputs: readonly Value[];
	readonly attributes: Attributes;
};

/** Collects the ops of one program. Nothing is computed; shapes are checked as each op is recorded. */
export class Recorder {
	readonly ops: RecordedOp[] = [];
	/** By id. */
	readonly values: Value[] = [];

	readonly tokens: Slot;
	readonly positions: Slot;
	readonly sequences: Slot;
	/** The page table. */
	readonly pages: Slot;
	readonly outputs: Slot;
	readonly targets: Slot;
	readonly samplers: Slot;

	/** @param sizes Numbers for `rows` and `outputs` make a program that runs once. */
	constructor({sequences = 1, pagesPerSequence = 0, rows = 'rows' as Dim, outputs = 'outputs' as Dim} = {}) {
		this.tokens = new Slot('tokens', [rows]);
		this.positions = new Slot('positions', [rows]);
		this.sequences = new Slot('sequences', [rows]);
		this.pages = new Slot('pages', [sequences, pagesPerSequence]);
		this.outputs = new Slot('outputs', [outputs]);
		this.targets = new Slot('targets', [outputs]);
		this.samplers = new Slot('samplers', [outputs]);
	}

	record(
		op: string,
		inputs: Readonly<Record<string, Operand | undefined>>,
		attributes: Attributes = {},
	): readonly Value[] {
		const declaration = declarationOf(op);
		const ordered = declaration.inputs.map(port => inputs[port.name]);
		const path = pathOf(op, ordered);
		checkInputs(declaration, inputs, path);

		const shapes = infer(op, ordered, path);
		const outputs = shapes.map((shape, i) => new Value(this, this.values.length + i, fromWire(shape), path));
		this.values.push(...outputs);
		this.ops.push({op, path, inputs: ordered, outputs, attributes});
		return outputs;
	}
}

/**
Records one op into the program its operands belong to.

@throws {ExlError} `EXL_SHAPE_MISMATCH` naming the place, the dimension and both sizes.
*/
export function record(
	op: string,
	inputs: Readonly<Record<string, Operand | undefined>>,
	attributes: Attributes = {},
): Value {
	const value = Object.values(inputs).find(input => input instanceof Value);
	if (!value) throw new ExlError('EXL_INVALID_ARGUMENT', `${op} needs a value of a program among its inputs`);
	return value.recorder.record(op, inputs, attributes)[0]!;
}

function infer(op: string, inputs: readonly (Operand | undefined)[], path: string): number[][] {
	try {
		return addon().infer(
			op,
			inputs.map(input => (input ? toWire(input.shape) : null)),
		);
	} catch (error) {
		if (!isExlError(error)) throw error;
		throw new ExlError(error.code, `${path}: ${error.message}`, {op: path});
	}
}

let declarations: Map<string, OpDeclaration> | undefined;

function declarationOf(op: string): OpDeclaration {
	declarations ??= new Map(
		addon()
			.opTable()
			.map(declaration => [declaration.name, declaration]),
	);
	const found = declarations.get(op);
	if (!found) throw new ExlError('EXL_UNSUPPORTED_OP', `there is no op named ${op}`);
	return found;
}

const classes = {value: Value, weight: Weight, cache: CacheLayer, slot: Slot};

function checkInputs(
	{inputs: ports}: OpDeclaration,
	inputs: Readonly<Record<string, Operand | undefined>>,
	path: string,
): void {
	for (const {name, kind, optional} of ports) {
		const input = inputs[name];
		if (input === undefined ? optional : input instanceof classes[kind]) continue;
		throw new ExlError('EXL_INVALID_ARGUMENT', `${path}: ${name} must be a ${kind}`, {op: path});
	}
}

/** An op is named after its weight, else after the place its last operand comes from. */
function pathOf(op: string, inputs: readonly (Operand | undefined)[]): string {
	const weight = inputs.find(input => input instanceof Weight);
	if (weight) return weight.path;
	const value = inputs.findLast(input => input instanceof Value);
	const parent = value?.path.split('.').slice(0, -1).join('.');
	return parent ? `${parent}.${op}` : op;
}
