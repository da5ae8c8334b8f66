import {ExlError} from '../errors/index.js';
import {addon, type NativeHandle} from '../native/index.js';

/** Owns one native object. Releasing is idempotent; using the handle afterwards throws `EXL_DISPOSED`. */
export class Handle {
	readonly #what: string;
	#id: NativeHandle | undefined;

	/** @param what How errors call it: `model#1 > cache`. */
	constructor(id: NativeHandle, what: string) {
		this.#id = id;
		this.#what = what;
	}

	get id(): NativeHandle {
		if (this.#id === undefined) throw new ExlError('EXL_DISPOSED', `${this.#what} was used after dispose()`);
		return this.#id;
	}

	release(): void {
		if (this.#id === undefined) return;
		addon().release(this.#id);
		this.#id = undefined;
	}
}
