import {mostItems, TemplateError, Text} from './text.js';

/** A value that is missing: empty wherever it is written or walked over, an error where anything is asked of it. */
export class Undefined {
	readonly what: string;

	constructor(what: string) {
		this.what = what;
	}

	fail(): never {
		throw new TemplateError(this.what);
	}
}

/** A number that Python would call a float, also where it is whole. */
export class Float {
	readonly value: number;

	constructor(value: number) {
		this.value = value;
	}
}

export class Tuple {
	readonly items: readonly Value[];

	constructor(items: readonly Value[]) {
		this.items = items;
	}
}

/** What `namespace()` makes, the only thing whose attributes a template may set. */
export class Namespace {
	readonly attributes = new Map<string, Value>();
}

/** Something with attributes, such as `loop`. */
export class Attributes {
	readonly name: string;
	readonly values: Readonly<Record<string, Value>>;

	constructor(name: string, values: Readonly<Record<string, Value>>) {
		this.name = name;
		this.values = values;
	}
}

export type Arguments = {readonly positional: readonly Value[]; readonly named: ReadonlyMap<string, Value>};

export class Callable {
	readonly call: (args: Arguments) => Value;

	constructor(call: (args: Arguments) => Value) {
		this.call = call;
	}
}

export type Value =
	| null
	| boolean
	| number
	| Float
	| Text
	| Value[]
	| Tuple
	| Dict
	| Namespace
	| Attributes
	| Callable
	| Undefined;

/** Python's dict: keys are equal as values are, and keep the text they were first given with. */
export class Dict {
	readonly #entries = new Map<unknown, [Value, Value]>();

	static of(entries: Iterable<readonly [Value, Value]>): Dict {
		const dict = new Dict();
		for (const [key, value] of entries) dict.set(key, value);
		return dict;
	}

	get size(): number {
		return this.#entries.size;
	}

	get(key: Value): Value | undefined {
		return this.#entries.get(hashOf(key))?.[1];
	}

	set(key: Value, value: Value): void {
		const hash = hashOf(key);
		this.#entries.set(hash, [this.#entries.get(hash)?.[0] ?? key, value]);
	}

	keys(): Value[] {
		return [...this.#entries.values()].map(([key]) => key);
	}

	values(): Value[] {
		return [...this.#entries.values()].map(([, value]) => value);
	}

	entries(): [Value, Value][] {
		return [...this.#entries.values()];
	}
}

function hashOf(key: Value): unknown {
	if (key instanceof Text) return key.value;
	if (key instanceof Float) return key.value + numberMark;
	if (typeof key === 'number' || typeof key === 'boolean') return Number(key) + numberMark;
	if (key instanceof Tuple) return JSON.stringify(key.items.map(hashOf)) + tupleMark;
	if (key === null || key instanceof Callable) return key;
	if (key instanceof Undefined) return 'undefined\uFFFF';
	throw new TemplateError(`unhashable type: '${typeName(key)}'`);
}

const numberMark = '\uFFFFn';
const tupleMark = '\uFFFFt';

export function typeName(value: Value): string {
	if (value === null) return 'NoneType';
	if (typeof value === 'boolean') return 'bool';
	if (typeof value === 'number') return 'int';
	if (value instanceof Float) return 'float';
	if (value instanceof Text) return 'str';
	if (Array.isArray(value)) return 'list';
	if (value instanceof Tuple) return 'tuple';
	if (value instanceof Dict) return 'dict';
	if (value instanceof Callable) return 'function';
	if (value instanceof Undefined) return 'Undefined';
	return value instanceof Attributes ? value.name : 'Namespace';
}

export function isTrue(value: Value): boolean {
	if (value === null || value instanceof Undefined) return false;
	if (typeof value === 'boolean') return value;
	if (typeof value === 'number') return value !== 0;
	if (value instanceof Float) return value.value !== 0;
	if (value instanceof Text) return value.value.length > 0;
	if (Array.isArray(value)) return value.length > 0;
	if (value instanceof Tuple) return value.items.length > 0;
	return value instanceof Dict ? value.size > 0 : true;
}

/** As a number, where Python takes it for one. */
export function numberOf(value: Value): number | undefined {
	if (typeof value === 'number' || typeof value === 'boolean') return Number(value);
	return value instanceof Float ? value.value : undefined;
}

export function isInteger(value: Value): value is number | boolean {
	return typeof value === 'number' || typeof value === 'boolean';
}

export function equal(a: Value, b: Value): boolean {
	const [x, y] = [numberOf(a), numberOf(b)];
	if (x !== undefined || y !== undefined) return x === y;
	if (a instanceof Text) return b instanceof Text && a.value === b.value;
	if (a instanceof Undefined) return b instanceof Undefined;
	if (Array.isArray(a)) return Array.isArray(b) && sameItems(a, b);
	if (a instanceof Tuple) return b instanceof Tuple && sameItems(a.items, b.items);
	if (!(a instanceof Dict && b instanceof Dict)) return a === b;
	return (
		a.size === b.size &&
		a.entries().every(([key, value]) => {
			const other = b.get(key);
			return other !== undefined && equal(value, other);
		})
	);
}

function sameItems(a: readonly Value[], b: readonly Value[]): boolean {
	return a.length === b.length && a.every((item, i) => equal(item, b[i]!));
}

/** Below, at or above 0 as `a` is less than, equal to or greater than `b`. */
export function compare(a: Value, b: Value): number {
	if (a instanceof Undefined) a.fail();
	if (b instanceof Undefined) b.fail();
	const [x, y] = [numberOf(a), numberOf(b)];
	if (x !== undefined && y !== undefined) return x - y;
	if (a instanceof Text && b instanceof Text) return comparePoints(a.value, b.value);
	const [listA, listB] = [sequenceOf(a), sequenceOf(b)];
	if (listA && listB && typeName(a) === typeName(b)) {
		const at = listA.findIndex((item, i) => i >= listB.length || !equal(item, listB[i]!));
		return at < 0 || at >= listB.length ? listA.length - listB.length : compare(listA[at]!, listB[at]!);
	}
	throw new TemplateError(`'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

function comparePoints(a: string, b: string): number {
	if (a === b) return 0;
	const [x, y] = [Array.from(a, c => c.codePointAt(0)!), Array.from(b, c => c.codePointAt(0)!)];
	const at = x.findIndex((point, i) => point !== y[i]);
	return at < 0 || at >= y.length ? x.length - y.length : x[at]! - y[at]!;
}

/** The items of a list or a tuple. */
export function sequenceOf(value: Value): readonly Value[] | undefined {
	return Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
}

/** What a loop over a value sees. */
export function itemsOf(value: Value): readonly Value[] {
	const items = sequenceOf(value);
	if (items) return items;
	if (value instanceof Dict) return value.keys();
	if (value instanceof Text) return value.characters();
	if (value instanceof Undefined) return [];
	throw new TemplateError(`'${typeName(value)}' object is not iterable`);
}

export function sized<T>(items: T[]): T[] {
	if (items.length > mostItems) throw new TemplateError(`a list of more than ${mostItems} values`);
	return items;
}

/** What a value of JavaScript is in a template. Its strings are foreign. */
export function templateValue(given: unknown, text: (value: string) => Text = Text.foreign): Value {
	if (given === null) return null;
	if (given === undefined) return new Undefined('a value is undefined');
	if (typeof given === 'string') return text(given);
	if (typeof given === 'boolean') return given;
	if (typeof given === 'number') return Number.isInteger(given) ? given : new Float(given);
	if (typeof given === 'bigint') return Number(given);
	if (Array.isArray(given)) return given.map(item => templateValue(item, text));
	if (given instanceof Map)
		return Dict.of([...given].map(([k, v]) => [templateValue(k, text), templateValue(v, text)] as const));
	if (typeof given === 'object') {
		const entries = Object.entries(given).filter(([, value]) => value !== undefined && typeof value !== 'function');
		return Dict.of(entries.map(([key, value]) => [text(key), templateValue(value, text)] as const));
	}
	throw new TemplateError(`a template cannot use a ${typeof given}`);
}
