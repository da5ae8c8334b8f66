import {ExlError} from '../errors/index.js';
import {addon, type NativeHandle} from '../native/index.js';

/**
Native handles of objects that were collected without `dispose()`. It lives in the module: a registry that only the
objects it watches keep alive never fires.
*/
const registry = new FinalizationRegistry<NativeHandle>(handle => addon().release(handle));

/** Owns one native object. Releasing is idempotent; using the handle afterwards throws `EXL_DISPOSED`. */
export class Handle {
	readonly #what: string;
	#id: NativeHandle | undefined;

	/** @param what How errors call it: `model#1 > cache`. */
	constructor(id: NativeHandle, what: string) {
		this.#id = id;
		this.#what = what;
		registry.register(this, id, this);
	}

	get id(): NativeHandle {
		if (this.#id === undefined) throw new ExlError('EXL_DISPOSED', `${this.#what} was used after dispose()`);
		return this.#id;
	}

	get released(): boolean {
		return this.#id === undefined;
	}

	release(): void {
		if (this.#id === undefined) return;
		registry.unregister(this);
		addon().release(this.#id);
		this.#id = undefined;
	}
}
