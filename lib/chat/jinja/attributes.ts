import {callable, integerArgument} from './arguments.js';
import {TemplateError, Text} from './text.js';
import {listMethod, textMethods} from './text-methods.js';
import {
	Attributes,
	type Callable,
	Dict,
	isInteger,
	Namespace,
	sequenceOf,
	Tuple,
	typeName,
	Undefined,
	type Value,
} from './values.js';

/** Methods that change what they are called on, which the sandbox of chat templates refuses. */
const changing = {
	list: ['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'],
	dict: ['clear', 'pop', 'popitem', 'setdefault', 'update'],
};

function method(value: Value, name: string): Value | undefined {
	if (value instanceof Text) return Object.hasOwn(textMethods, name) ? textMethods[name]!(value) : undefined;
	const kind = Array.isArray(value) ? 'list' : value instanceof Dict ? 'dict' : undefined;
	if (kind && changing[kind].includes(name)) {
		return new Undefined(`access to attribute '${name}' of '${kind}' object is unsafe.`);
	}
	if (value instanceof Dict) return dictMethod(value, name);
	return sequenceOf(value) ? listMethod(value, name) : undefined;
}

function dictMethod(dict: Dict, name: string): Callable | undefined {
	switch (name) {
		case 'items':
			return callable(name, [], () => dict.entries().map(pair => new Tuple(pair)));
		case 'keys':
			return callable(name, [], () => dict.keys());
		case 'values':
			return callable(name, [], () => dict.values());
		case 'copy':
			return callable(name, [], () => Dict.of(dict.entries()));
		case 'get':
			return callable(name, ['key', 'default'], (key = null, usual = null) => {
				const item = dict.get(key);
				return item === undefined ? usual : item;
			});
		default:
			return undefined;
	}
}

function attribute(value: Value, name: string): Value | undefined {
	if (value instanceof Namespace) return value.attributes.get(name);
	if (value instanceof Attributes) return Object.hasOwn(value.values, name) ? value.values[name] : undefined;
	return method(value, name);
}

const missing = (value: Value, name: string) => new Undefined(`'${typeName(value)} object' has no attribute '${name}'`);

/** `value.name`: what Python finds as an attribute, or else as an item. */
export function attributeOf(value: Value, name: Text): Value {
	if (value instanceof Undefined) value.fail();
	const found = attribute(value, name.value);
	if (found !== undefined) return found;
	const item = value instanceof Dict ? value.get(name) : undefined;
	return item !== undefined ? item : missing(value, name.value);
}

/** An attribute, and never an item. */
export function attributeAlone(value: Value, name: Text): Value {
	if (value instanceof Undefined) value.fail();
	const found = attribute(value, name.value);
	return found !== undefined ? found : missing(value, name.value);
}

/** `value[key]`: an item, or else an attribute. */
export function itemOf(value: Value, key: Value): Value {
	if (value instanceof Undefined) value.fail();
	if (key instanceof Undefined) key.fail();
	if (value instanceof Dict) {
		const item = value.get(key);
		if (item !== undefined) return item;
	} else if (isInteger(key)) {
		const at = Number(key);
		const length = lengthOf(value);
		const place = at < 0 ? at + (length ?? 0) : at;
		if (length === undefined || place < 0 || place >= length) {
			return new Undefined(`'${typeName(value)} object' has no element ${at}`);
		}
		return value instanceof Text ? value.points(place, place + 1) : sequenceOf(value)![place]!;
	}
	if (key instanceof Text) {
		const found = attribute(value, key.value);
		return found !== undefined ? found : missing(value, key.value);
	}
	return new Undefined(`'${typeName(value)} object' has no such element`);
}

export function lengthOf(value: Value): number | undefined {
	if (value instanceof Text) return value.length;
	if (value instanceof Dict) return value.size;
	if (value instanceof Undefined) return 0;
	return sequenceOf(value)?.length;
}

/** `value[start:stop:step]` */
export function sliceOf(value: Value, bounds: readonly (Value | undefined)[]): Value {
	if (value instanceof Undefined) value.fail();
	const length = value instanceof Dict ? undefined : lengthOf(value);
	if (length === undefined) throw new TemplateError(`'${typeName(value)}' object cannot be cut`);
	const [first, last, by] = bounds.map(bound => (bound == null ? undefined : integerArgument('slice', bound, 0)));
	const step = by ?? 1;
	if (step === 0) throw new TemplateError('slice step cannot be zero');
	const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
	const clamp = (at: number) => Math.min(high, Math.max(low, at < 0 ? at + length : at));
	const start = first === undefined ? (step > 0 ? low : high) : clamp(first);
	const stop = last === undefined ? (step > 0 ? high : low) : clamp(last);
	if (value instanceof Text && step === 1) return value.points(start, Math.max(start, stop));
	const places: number[] = [];
	for (let at = start; step > 0 ? at < stop : at > stop; at += step) places.push(at);
	if (value instanceof Text) return Text.join(places.map(at => value.points(at, at + 1)));
	const items = places.map(at => sequenceOf(value)![at]!);
	return value instanceof Tuple ? new Tuple(items) : items;
}
