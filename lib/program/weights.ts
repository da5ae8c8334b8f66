import type {Device} from '../memory/index.js';
import {Handle} from '../memory/index.js';
import {addon, sourceBytes, type WeightSource} from '../native/index.js';
import type {LoaderName} from '../options/index.js';
import type {Weight} from './operand.js';

export type WeightProgress = (loaded: number, total: number) => void;

export type LoadWeightsOptions = {
	/** @default 'direct' */
	readonly loader?: LoaderName | undefined;
	readonly onProgress?: WeightProgress | undefined;
	readonly signal?: AbortSignal | undefined;
};

/** The weights of one model on one device. Each path is read once, whichever programs use it. */
export class WeightStore {
	readonly #device: Device;
	readonly #owner: string;
	readonly #handles = new Map<string, Handle | undefined>();

	constructor(device: Device, owner: string) {
		this.#device = device;
		this.#owner = owner;
	}

	/**
	Reads those of `weights` that are not here yet, one after another, so that other models' steps run in between.

	@param onProgress Bytes of the weights.
	@returns What was read with.
	@throws The signal's reason if it aborts.
	*/
	async load(weights: Iterable<Weight>, {loader = 'direct', onProgress, signal}: LoadWeightsOptions = {}) {
		const missing = [...new Map([...weights].map(weight => [weight.path, weight])).values()].filter(
			weight => !this.#handles.has(weight.path),
		);
		const sources = new Map<Weight, WeightSource | undefined>();
		for (const weight of missing) {
			signal?.throwIfAborted();
			sources.set(weight, await weight.load());
		}

		const total = [...sources.values()].reduce((sum, source) => sum + (source ? sourceBytes(source) : 0), 0);
		const handle = new Handle(addon().createLoader(this.#device.id, loader, this.#owner), 'the loader');
		try {
			let loaded = 0;
			for (const [{path}, source] of sources) {
				signal?.throwIfAborted();
				this.#handles.set(path, source && (await this.#read(handle, path, source)));
				loaded += source ? sourceBytes(source) : 0;
				onProgress?.(loaded, total);
			}
			return addon().loaderState(handle.id);
		} finally {
			handle.release();
		}
	}

	/** Nothing if the model has no such weight. */
	get(weight: Weight): Handle | undefined {
		return this.#handles.get(weight.path);
	}

	release(): void {
		for (const handle of this.#handles.values()) handle?.release();
		this.#handles.clear();
	}

	async #read(loader: Handle, path: string, source: WeightSource): Promise<Handle> {
		const id = await addon().loadWeight(this.#device.id, loader.id, source, path, this.#owner);
		return new Handle(id, `${this.#owner} > ${path}`);
	}
}
