import {ExlError} from '../errors/index.js';
import {type Device, type DeviceKind, Holding, openDevice} from '../memory/index.js';
import type {WeightSource} from '../native/index.js';
import type {DeviceName} from '../options/index.js';
import {Weight, WeightStore} from '../program/index.js';
import {linearShape, linearSource, locateModel, openWeights, readModelConfig} from '../weights/index.js';
import type {TensorOptions} from './tensor.js';

let matrices = 0;

/** One linear weight of a model on a device, in the format of its file: EXL2, GPTQ or plain. */
export class QuantMatrix {
	readonly inFeatures: number;
	readonly outFeatures: number;
	readonly format: WeightSource['format'];
	readonly #device: Device;
	readonly #store: WeightStore;
	readonly #weight: Weight;
	readonly #holding: Holding;

	private constructor(device: Device, store: WeightStore, weight: Weight, source: WeightSource, name: string) {
		const [out, inputs] = weight.shape as readonly [number, number];
		this.inFeatures = inputs;
		this.outFeatures = out;
		this.format = source.format;
		this.#device = device;
		this.#store = store;
		this.#weight = weight;
		this.#holding = new Holding(this, 'QuantMatrix', name, device, [store]);
	}

	/**
	Reads one linear layer of a model directory.

	@param model As for `loadModel()`.
	@param key `model.layers.0.mlp.gate_proj`
	@param options The device, `cpu` by default.
	@throws {ExlError} As `loadModel()` does.
	*/
	static async load(model: string, key: string, {device}: TensorOptions = {}): Promise<QuantMatrix> {
		const directory = await locateModel(model);
		const [files, {gptq}] = await Promise.all([openWeights(directory), readModelConfig(directory)]);
		const {weight} = await linearSource(files, key, {...linearShape(files, key), gptq});
		return QuantMatrix.from(weight, {...(device && {device}), name: key});
	}

	/** @internal Takes a source as the native loader does. */
	static async from(
		source: WeightSource,
		{device: deviceName = 'cpu' as DeviceName, name = 'matrix'} = {},
	): Promise<QuantMatrix> {
		const weight = new Weight(name, source.shape, async () => source);
		const device = openDevice(deviceName);
		const owner = `matrix#${++matrices}`;
		const store = new WeightStore(device, owner);
		try {
			await store.load([weight]);
		} catch (error) {
			await device.release();
			throw error;
		}
		return new QuantMatrix(device, store, weight, source, owner);
	}

	get device(): DeviceKind {
		return this.#device.kind;
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

	/** @internal */
	get operand(): {weight: Weight; store: WeightStore} {
		if (this.#holding.released) throw new ExlError('EXL_DISPOSED', `${this.#weight.path} was used after dispose()`);
		return {weight: this.#weight, store: this.#store};
	}
}
