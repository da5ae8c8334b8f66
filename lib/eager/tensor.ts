import {ExlError} from '../errors/index.js';
import {type Device, type DeviceKind, Handle, Holding, openDevice} from '../memory/index.js';
import {addon, type NativeArray} from '../native/index.js';
import {type DeviceName, describe} from '../options/index.js';
import {External, type Recorder} from '../program/index.js';

/** Where a tensor is. */
export type TensorOptions = {
	/** @default 'cpu' */
	readonly device?: DeviceName;
};

let tensors = 0;

/** Numbers on a device, row-major, in the type it computes with: fp32 on `cpu`, fp16 on GPUs, fp64 on `reference`. */
export class Tensor {
	readonly shape: readonly number[];
	readonly #device: Device;
	readonly #handle: Handle;
	readonly #holding: Holding;
	readonly #name = `tensor#${++tensors}`;

	private constructor(device: Device, shape: readonly number[], values: Float64Array | null) {
		this.shape = shape;
		this.#device = device;
		this.#handle = new Handle(addon().createTensor(device.id, values, shape, this.#name), this.#name);
		this.#holding = new Holding(this, 'Tensor', this.#name, device, [this.#handle]);
	}

	/**
	Copies `values` to a device.

	@param shape One to four sizes whose product is the number of values.
	@param options The device, `cpu` by default.
	@throws {ExlError} `EXL_INVALID_ARGUMENT`, `EXL_SHAPE_MISMATCH`, `EXL_OUT_OF_MEMORY`.
	*/
	static from(values: ArrayLike<number>, shape: readonly number[], {device = 'cpu'}: TensorOptions = {}): Tensor {
		checkShape(shape);
		const count = shape.reduce((a, b) => a * b, 1);
		if (values.length !== count) {
			const message = `${values.length} values do not make a tensor [${shape.join(', ')}], which has ${count}`;
			throw new ExlError('EXL_SHAPE_MISMATCH', message);
		}
		return create(device, opened => new Tensor(opened, shape, Float64Array.from(values)));
	}

	/**
	All zeros.

	@param shape One to four sizes.
	@param options The device, `cpu` by default.
	*/
	static zeros(shape: readonly number[], {device = 'cpu'}: TensorOptions = {}): Tensor {
		checkShape(shape);
		return create(device, opened => new Tensor(opened, shape, null));
	}

	get device(): DeviceKind {
		return this.#device.kind;
	}

	/** A copy of the values: `Float64Array` on `reference`, else `Float32Array`. */
	async read(): Promise<NativeArray> {
		return addon().readTensor(this.#device.id, this.#handle.id);
	}

	/** Gives the memory back. May be called again. */
	dispose(): void {
		if (!(#holding in this)) throw new ExlError('EXL_INVALID_ARGUMENT', 'dispose() was called on something else');
		void this.#holding.release();
	}

	/** `dispose()`, for `using`. */
	[Symbol.dispose](): void {
		this.dispose();
	}

	/** @internal As an operand of a program. */
	operand(recorder: Recorder): External {
		return new External(recorder, this.#handle.id, this.shape, this.#name);
	}
}

function create(name: DeviceName, make: (device: Device) => Tensor): Tensor {
	const device = openDevice(name);
	try {
		return make(device);
	} catch (error) {
		void device.release();
		throw error;
	}
}

function checkShape(shape: readonly number[]): void {
	const isSize = (size: number) => Number.isInteger(size) && size >= 1 && size < 2 ** 31;
	if (Array.isArray(shape) && shape.length >= 1 && shape.length <= 4 && shape.every(isSize)) return;
	throw new ExlError('EXL_INVALID_ARGUMENT', `a shape must be one to four sizes of at least 1; got ${describe(shape)}`);
}
