import * as v from 'valibot';

/** What of an object schema tells its input and its output. */
type Fields<Entries extends v.ObjectEntries> = v.StrictObjectSchema<Entries, string>;

/** An object of options: every name in it has to be one of `entries`. A list, a Map or a Date is none. */
export function optionsOf<const Entries extends v.ObjectEntries>(
	entries: Entries,
): v.GenericSchema<v.InferInput<Fields<Entries>>, v.InferOutput<Fields<Entries>>> {
	const isRecord = (value: unknown) => Object.prototype.toString.call(value) === '[object Object]';
	return v.pipe(
		v.custom<v.InferInput<Fields<Entries>>>(isRecord, 'an object'),
		v.strictObject(entries, 'an object'),
	) as v.GenericSchema<v.InferInput<Fields<Entries>>, v.InferOutput<Fields<Entries>>>;
}

/** A finite number that passes `test`. `phrase` completes "must be". */
export function numberWhere(phrase: string, test: (value: number) => boolean = () => true): v.GenericSchema<number> {
	return v.custom<number>(value => typeof value === 'number' && Number.isFinite(value) && test(value), phrase);
}

/** A whole number from `min` to `max`, both included. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): v.GenericSchema<number> {
	const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
	return numberWhere(`a whole number ${range}`, n => Number.isInteger(n) && n >= min && n <= max);
}

/** One of these strings. */
export function oneOf<const Names extends readonly string[]>(names: Names): v.GenericSchema<Names[number]> {
	return named(v.picklist(names, quoted(names)), names);
}

/** Strings that a schema takes, among others perhaps: what is nearly one of them is told so. */
export function named<T>(schema: v.GenericSchema<T>, names: readonly string[]): v.GenericSchema<T> {
	return v.pipe(schema, v.metadata({names}));
}

/** `'a', 'b' or 'c'` */
function quoted(names: readonly string[]): string {
	const [last = '', ...others] = names.map(name => `'${name}'`).reverse();
	return others.length === 0 ? last : `${others.reverse().join(', ')} or ${last}`;
}

export const trueOrFalse: v.GenericSchema<boolean> = v.boolean('true or false');

export function callback<T extends (...args: never) => unknown>(): v.GenericSchema<T> {
	return v.custom<T>(value => typeof value === 'function', 'a function');
}
