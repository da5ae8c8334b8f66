import {pageTokens} from '../cache/index.js';
import {ExlError} from '../errors/index.js';
import {type Device, type DeviceKind, Handle, Holding, openDevice} from '../memory/index.js';
import {addon, type Slots} from '../native/index.js';
import {cacheWrite} from '../ops/index.js';
import type {CacheTypeName} from '../options/index.js';
import {CacheLayer} from '../program/index.js';
import {runOnce} from './run.js';
import {Tensor, type TensorOptions} from './tensor.js';

/** The shape of a `KvCache`, its type, and the device it is on. */
export type KvCacheOptions = TensorOptions & {
	/** Tokens it holds, rounded up to whole pages of 256. */
	readonly tokens: number;
	readonly keyHeads: number;
	/** Elements per head, 1 to 256; a multiple of 8 for `q8`, `q6` and `q4`. */
	readonly headDim: number;
	/** How it stores them; see `loadModel()`. On `reference`, `fp16` is double precision. @default 'fp16' */
	readonly type?: CacheTypeName;
};

let caches = 0;

/** Keys and values of one sequence in one layer. */
export class KvCache {
	readonly keyHeads: number;
	readonly headDim: number;
	readonly type: CacheTypeName;
	/** Tokens it holds. */
	readonly capacity: number;
	readonly #device: Device;
	readonly #handle: Handle;
	readonly #holding: Holding;
	#length = 0;
	#appending: Promise<void> = Promise.resolve();

	/**
	@param options `tokens` is how many it holds.
	@throws {ExlError} `EXL_INVALID_ARGUMENT`, `EXL_OUT_OF_MEMORY`.
	*/
	constructor({tokens, keyHeads, headDim, type = 'fp16', device = 'cpu'}: KvCacheOptions) {
		const pages = Math.ceil(tokens / pageTokens);
		const name = `cache#${++caches}`;
		this.keyHeads = keyHeads;
		this.headDim = headDim;
		this.type = type;
		this.capacity = pages * pageTokens;
		this.#device = openDevice(device);
		try {
			const size = {layers: 1, pages, keyHeads, dim: headDim, type};
			this.#handle = new Handle(addon().createCache(this.#device.id, size, name), name);
			this.#holding = new Holding(this, 'KvCache', name, this.#device, [this.#handle]);
		} catch (error) {
			void this.#device.release();
			throw error;
		}
	}

	/** Tokens it has. */
	get length(): number {
		return this.#length;
	}

	get device(): DeviceKind {
		return this.#device.kind;
	}

	/**
	Adds tokens at the end.

	@param k `[rows, keyHeads, headDim]`, already rotated.
	@param v The same shape.
	@throws {ExlError} `EXL_SHAPE_MISMATCH`, `EXL_CACHE_FULL`.
	*/
	async append(k: Tensor, v: Tensor): Promise<void> {
		if (!(k instanceof Tensor && v instanceof Tensor))
			throw new ExlError('EXL_INVALID_ARGUMENT', 'append() takes two tensors');
		const rows = k.shape[0]!;
		for (const {device} of [k, v]) {
			if (device === this.device) continue;
			throw new ExlError('EXL_INVALID_ARGUMENT', `the cache is on ${this.device}, what is appended on ${device}`);
		}
		// One after another: where tokens go depends on whether those before them came in.
		const before = this.#appending;
		const done = before.then(() => this.#append(k, v, rows));
		this.#appending = done.catch(() => {});
		return done;
	}

	async #append(k: Tensor, v: Tensor, rows: number): Promise<void> {
		const position = this.#length;
		if (position + rows > this.capacity) {
			const message = `the cache has ${position} of ${this.capacity} tokens, ${rows} more do not fit`;
			throw new ExlError('EXL_CACHE_FULL', message);
		}
		await runOnce({
			device: this.#device,
			cache: this.operand,
			rows,
			slots: this.slots(rows, position),
			record: recorder => {
				cacheWrite(k.operand(recorder), v.operand(recorder), this.layer);
				return undefined;
			},
		});
		this.#length += rows;
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
	get operand(): {handle: number; pages: number} {
		return {handle: this.#handle.id, pages: this.capacity / pageTokens};
	}

	/** @internal */
	get layer(): CacheLayer {
		return new CacheLayer(0, [this.keyHeads, this.headDim]);
	}

	/** @internal Slots for `rows` tokens from `position` on. */
	slots(rows: number, position: number): Slots {
		return {
			positions: Int32Array.from({length: rows}, (_, i) => position + i),
			sequences: new Int32Array(rows),
			pages: Int32Array.from({length: this.capacity / pageTokens}, (_, i) => i),
		};
	}
}
