import {type Device, Handle} from '../memory/index.js';
import {
	addon,
	type NativeArray,
	type NativeHandle,
	type Slots,
	type StepReply,
	type WireOperand,
} from '../native/index.js';
import {CacheLayer, External, type Operand, Slot, Value, Weight} from './operand.js';
import {printOps} from './print.js';
import type {RecordedOp, Recorder} from './recorder.js';
import {toWire} from './shape.js';
import type {WeightStore} from './weights.js';

export type ProgramLimits = {
	/** Tokens in one step, at most. */
	readonly maxRows: number;
	/** Tokens with logits in one step, at most. */
	readonly maxOutputs: number;
	/** Rows of the page table. */
	readonly maxSequences: number;
	readonly pagesPerSequence: number;
	/** Threads of the CPU backend. */
	readonly threads: number;
	/** Whether the backend may put ops together and reorder them; without it `ops` is what runs. @default true */
	readonly lowered?: boolean;
};

/** A recorded program, compiled for a device and ready to be replayed. */
export class Program {
	readonly #device: Device;
	readonly #handle: Handle;
	readonly #ops: readonly RecordedOp[];

	private constructor(device: Device, handle: Handle, ops: readonly RecordedOp[]) {
		this.#device = device;
		this.#handle = handle;
		this.#ops = ops;
	}

	/**
	Picks a kernel for every op and plans the memory of all activations.

	@param results Values that each step returns.
	@throws {ExlError} `EXL_UNSUPPORTED_OP` with the objection of every kernel, `EXL_OUT_OF_MEMORY`.
	*/
	static async compile(
		recorder: Recorder,
		results: readonly Value[],
		at: {
			readonly device: Device;
			readonly weights: WeightStore;
			readonly cache?: NativeHandle;
			readonly owner: string;
			/** Tensors that take the place of values. */
			readonly outputs?: ReadonlyMap<Value, External>;
		},
		limits: ProgramLimits,
	): Promise<Program> {
		const wire = (operand: Operand | undefined) =>
			operand && toWireOperand(at.outputs?.get(operand as Value) ?? operand, at.weights);
		const id = await addon().compile(
			at.device.id,
			{
				...limits,
				...(at.cache !== undefined && {cache: at.cache}),
				values: recorder.values.map(value => ({shape: toWire(value.shape)})),
				ops: recorder.ops.map(({op, path, inputs, outputs, attributes}) => ({
					op,
					path,
					attributes,
					inputs: inputs.map(input => wire(input) ?? null),
					outputs: outputs.map(output => wire(output) ?? null),
				})),
				results: Int32Array.from(results, value => value.id),
			},
			at.owner,
		);
		return new Program(at.device, new Handle(id, at.owner), recorder.ops);
	}

	/** Runs every op over these slots; resolves to the results, in the order `compile` was given them. */
	async step(slots: Slots): Promise<readonly NativeArray[]> {
		return (await this.run(slots)).results;
	}

	/** `step`, and what samplers saw. */
	run(slots: Slots): Promise<StepReply> {
		return addon().step(this.#device.id, this.#handle.id, slots);
	}

	/** The ops, in the order they were recorded. */
	get ops(): readonly RecordedOp[] {
		return this.#ops;
	}

	/**
	The same program, op by op, if it is not lowered: set the slots, then run op after op, reading and replacing values in
	between.
	*/
	setSlots(slots: Slots): Promise<void> {
		return addon().setSlots(this.#device.id, this.#handle.id, slots);
	}

	runOp(index: number): Promise<void> {
		return addon().runOp(this.#device.id, this.#handle.id, index);
	}

	read(value: Value): Promise<NativeArray> {
		return addon().readValue(this.#device.id, this.#handle.id, value.id);
	}

	write(value: Value, elements: Float64Array): Promise<void> {
		return addon().writeValue(this.#device.id, this.#handle.id, value.id, elements);
	}

	release(): void {
		this.#handle.release();
	}

	toString(): string {
		return printOps(this.#ops);
	}
}

function toWireOperand(operand: Operand, weights: WeightStore): WireOperand {
	const shape = toWire(operand.shape);
	if (operand instanceof External) return {shape, tensor: operand.handle};
	if (operand instanceof Value) return {shape, value: operand.id};
	if (operand instanceof Slot) return {shape, slot: operand.name};
	if (operand instanceof CacheLayer) return {shape, layer: operand.layer};
	const handle = weights.get(operand);
	return handle ? {shape, weight: handle.id} : null;
}

/** The weights a program reads. */
export function weightsOf(recorder: Recorder): Weight[] {
	return recorder.ops.flatMap(({inputs}) => inputs.filter(input => input instanceof Weight));
}
