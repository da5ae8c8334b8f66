import type {Device} from './device.js';
import {type Disposable, track} from './resource.js';
import {ownedBytes} from './snapshot.js';

/** What one public object holds on a device. It does not refer to the object, and so outlives it if it leaks. */
export class Holding {
	readonly #device: Device;
	readonly #parts: {release(): void}[];
	readonly #forget: () => void;
	#released: Promise<void> | undefined;

	/**
	@param kind The object's class.
	@param name The owner its buffers have on the ledger: `model#1`.
	@param device A share that was acquired for the object; it is given back with the rest.
	@param parts In the order they are released.
	*/
	constructor(object: Disposable, kind: string, name: string, device: Device, parts: {release(): void}[]) {
		this.#device = device;
		this.#parts = parts;
		this.#forget = track(object, {kind, name, bytes: () => ownedBytes(name), release: () => this.release()});
	}

	get released(): boolean {
		return this.#released !== undefined;
	}

	/** Lets go of everything; settles when nothing in flight uses it any more. May be called again. */
	release(): Promise<void> {
		if (!this.#released) {
			this.#forget();
			for (const part of this.#parts) part.release();
			this.#released = this.#device.release();
		}
		return this.#released;
	}
}
