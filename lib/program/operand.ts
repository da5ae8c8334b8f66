import {ExlError} from '../errors/index.js';
import type {NativeHandle, SlotName, WeightSource} from '../native/index.js';
import type {Recorder} from './recorder.js';
import {type Shape, shapeText, width} from './shape.js';

/** The result of a recorded op. It knows its program, so ops are plain functions of values. */
export class Value {
	/** @param path Where it was computed: `model.layers.0.mlp.gate_proj`. */
	constructor(
		readonly recorder: Recorder,
		readonly id: number,
		readonly shape: Shape,
		readonly path: string,
	) {}

	/**
	The same elements in another shape.

	@throws {ExlError} `EXL_SHAPE_MISMATCH`.
	*/
	view(shape: Shape): Value {
		if (width(shape) !== width(this.shape)) {
			const message = `${this.path} is ${shapeText(this.shape)} and cannot be seen as ${shapeText(shape)}`;
			throw new ExlError('EXL_SHAPE_MISMATCH', message, {op: this.path});
		}
		return new Value(this.recorder, this.id, shape, this.path);
	}
}

/** A tensor of the user in the place of a value: an input or output that outlives the program. */
export class External extends Value {
	constructor(
		recorder: Recorder,
		readonly handle: NativeHandle,
		shape: Shape,
		path: string,
	) {
		super(recorder, -1, shape, path);
	}
}

/** A weight by name. It is read when the program is compiled; the same name is read once. */
export class Weight {
	/**
	@param path `model.layers.0.mlp.gate_proj`
	@param load What to give the native loader; nothing if it turns out that the model has no such weight.
	*/
	constructor(
		readonly path: string,
		readonly shape: Shape,
		readonly load: () => Promise<WeightSource | undefined>,
	) {}
}

/** Keys and values of one layer: `[keyHeads, headDim]` per token. */
export class CacheLayer {
	constructor(
		readonly layer: number,
		readonly shape: Shape,
	) {}
}

/** Input that changes with every step. */
export class Slot {
	constructor(
		readonly name: SlotName,
		readonly shape: Shape,
	) {}
}

export type Operand = Value | Weight | CacheLayer | Slot;
