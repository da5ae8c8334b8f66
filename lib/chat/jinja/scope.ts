import {TemplateError} from './text.js';
import {Undefined, type Value} from './values.js';

/** Steps a template may take; a long conversation takes some 100,000. */
const mostSteps = 2e7;

/** Ends templates that would not, or not in reasonable time. */
export class Budget {
	#left = mostSteps;

	/** @param steps More than one for what is made of many. */
	step(steps = 1): void {
		this.#left -= steps;
		if (this.#left < 0) throw new TemplateError(`the template takes more than ${mostSteps} steps`);
	}
}

/** Variables, and those of what is around. */
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
