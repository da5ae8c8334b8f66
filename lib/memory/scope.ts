import * as v from 'valibot';
import {ExlError} from '../errors/index.js';
import {callback, parseArgument} from '../options/index.js';
import {currentScope, type Disposable} from './resource.js';

const disposable = v.custom<Disposable>(
	object => typeof (object as Partial<Disposable> | null | undefined)?.dispose === 'function',
	'an object with a dispose() method',
);
const anyWork = callback();

/** Everything that was created inside, in order. */
export class Scope {
	readonly #objects = new Set<Disposable>();
	#closed = false;

	/**
	Takes an object that was created elsewhere.

	@throws {ExlError} `EXL_INVALID_ARGUMENT` if it cannot be disposed of, `EXL_DISPOSED` if the scope has ended.
	*/
	add<T extends Disposable>(object: T): T {
		parseArgument(disposable, object, 'object', 'scope.add()');
		if (this.#closed) throw new ExlError('EXL_DISPOSED', 'the scope has ended');
		this.#objects.add(object);
		return object;
	}

	/** Lets an object outlive the scope. @throws {ExlError} `EXL_INVALID_ARGUMENT` if it cannot be disposed of. */
	keep<T extends Disposable>(object: T): T {
		parseArgument(disposable, object, 'object', 'scope.keep()');
		this.#objects.delete(object);
		return object;
	}

	get closed(): boolean {
		return this.#closed;
	}

	/** @internal Youngest first; all of them, even if one fails. */
	async close(): Promise<void> {
		this.#closed = true;
		const failures: unknown[] = [];
		for (const object of [...this.#objects].reverse()) {
			try {
				await object.dispose();
			} catch (error) {
				failures.push(error);
			}
		}
		if (failures.length > 0) throw failures[0];
	}
}

/**
Runs `work` and disposes of everything that was created inside, also if it throws. Scopes nest; the innermost one
takes what is created.
*/
export async function scope<T>(work: (scope: Scope) => Promise<T> | T): Promise<T> {
	parseArgument(anyWork, work, 'work', 'memory.scope()');
	const own = new Scope();
	const takes = {
		// What a late continuation creates after the end is left to itself.
		add: (object: Disposable) => {
			if (!own.closed) own.add(object);
		},
	};
	try {
		return await currentScope.run(takes, () => work(own));
	} finally {
		await own.close();
	}
}
