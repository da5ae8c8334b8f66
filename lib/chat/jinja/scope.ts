import {TemplateError} from './text.js';
import {Undefined, type Value} from './values.js';

/** Ends templates that would not end, or not in reasonable time. */
export class Budget {
	readonly #most: number;
	#left: number;

	/**
	@param messages Of the conversation. Most templates take some 6,000 steps for each, a few look at all messages for
	each and take 50 for each pair.
	*/
	constructor(messages: number) {
		this.#most = 1e7 + 1e3 * messages ** 2;
		this.#left = this.#most;
	}

	/** @param steps More than one for large values. */
	step(steps = 1): void {
		this.#left -= steps;
		if (this.#left < 0) throw new TemplateError(`the template takes more than ${this.#most} steps`);
	}
}

/** Variables of a block, and through its parent those of the blocks around it. */
export class Scope {
	readonly budget: Budget;
	readonly #parent: Scope | undefined;
	readonly #variables = new Map<string, Value>();

	constructor(parent: Scope | Budget) {
		this.budget = parent instanceof Scope ? parent.budget : parent;
		this.#parent = parent instanceof Scope ? parent : undefined;
	}

	get(name: string): Value {
		const value = this.#variables.get(name);
		if (value !== undefined) return value;
		return this.#parent ? this.#parent.get(name) : new Undefined(`'${name}' is undefined`);
	}

	set(name: string, value: Value): void {
		this.#variables.set(name, value);
	}
}
