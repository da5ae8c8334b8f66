import {TemplateError, Text} from './text.js';
import {type Arguments, Callable, isInteger, isTrue, typeName, Undefined, type Value} from './values.js';

/** The values of parameters, given by place or by name; undefined for those that were not given. */
export function bind(
	call: string,
	parameters: readonly string[],
	{positional, named}: Arguments,
): (Value | undefined)[] {
	if (positional.length > parameters.length) {
		throw new TemplateError(`${call}() takes at most ${parameters.length} arguments (${positional.length} given)`);
	}
	for (const name of named.keys()) {
		const at = parameters.indexOf(name);
		if (at < 0) throw new TemplateError(`${call}() got an unexpected keyword argument '${name}'`);
		if (at < positional.length) throw new TemplateError(`${call}() got multiple values for argument '${name}'`);
	}
	return parameters.map((name, i) => positional[i] ?? (i < positional.length ? null : named.get(name)));
}

/** A function of a template with named parameters. */
export function callable(
	name: string,
	parameters: readonly string[],
	run: (...values: (Value | undefined)[]) => Value,
): Callable {
	return new Callable(args => run(...bind(name, parameters, args)));
}

export function textArgument(call: string, value: Value | undefined): Text {
	if (value instanceof Text) return value;
	if (value instanceof Undefined) value.fail();
	throw new TemplateError(`${call}() needs a string, not '${value === undefined ? 'nothing' : typeName(value)}'`);
}

export function integerArgument(call: string, value: Value | undefined, usual: number): number {
	if (value === undefined) return usual;
	if (isInteger(value)) return Number(value);
	if (value instanceof Undefined) value.fail();
	throw new TemplateError(`${call}() needs a whole number, not '${typeName(value)}'`);
}

export function flagArgument(value: Value | undefined, usual: boolean): boolean {
	return value === undefined ? usual : isTrue(value);
}
