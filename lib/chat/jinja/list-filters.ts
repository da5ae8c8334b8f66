import {flagArgument, integerArgument} from './arguments.js';
import {itemOf} from './attributes.js';
import type {Filter} from './filters.js';
import {operators} from './operators.js';
import {textOf} from './print.js';
import {mostItems, TemplateError, Text} from './text.js';
import {lower} from './text-methods.js';
import {compare, Dict, equal, isTrue, itemsOf, Tuple, Undefined, type Value} from './values.js';

const filter = (parameters: readonly string[], run: Filter['run']): Filter => ({parameters, run});

/** What finds an attribute by a dotted path, such as `function.name`. */
export function getter(path: Value | undefined, usual?: Value): (item: Value) => Value {
	if (path == null) return item => item;
	const parts = path instanceof Text ? path.value.split('.') : [path];
	return item => {
		let value = item;
		for (const part of parts) {
			const key = typeof part !== 'string' ? part : /^\d+$/.test(part) ? Number(part) : Text.own(part);
			value = itemOf(value, key);
			if (value instanceof Undefined && usual !== undefined) return usual;
		}
		return value;
	};
}

const ignoringCase = (sensitive: Value | undefined) => (value: Value) =>
	!flagArgument(sensitive, false) && value instanceof Text ? lower(value) : value;

function sorted(items: readonly Value[], key: (item: Value) => Value, reverse: boolean): Value[] {
	const keyed = items.map(item => [key(item), item] as const);
	return keyed.sort(([a], [b]) => (reverse ? compare(b, a) : compare(a, b))).map(([, item]) => item);
}

const extreme = (sign: number): Filter =>
	filter(['case_sensitive', 'attribute'], (value, sensitive, attribute) => {
		const [get, fold] = [getter(attribute), ignoringCase(sensitive)];
		const items = itemsOf(value);
		if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.');
		return items.reduce((best, item) => (sign * compare(fold(get(item)), fold(get(best))) > 0 ? item : best));
	});

function unique(value: Value, sensitive?: Value, attribute?: Value): Value {
	const [get, fold] = [getter(attribute), ignoringCase(sensitive)];
	const seen = new Dict();
	return itemsOf(value).filter(item => {
		const key = fold(get(item));
		if (seen.get(key) !== undefined) return false;
		seen.set(key, true);
		return true;
	});
}

function groupBy(value: Value, attribute?: Value, usual?: Value, sensitive?: Value): Value {
	const get = getter(attribute ?? null, usual);
	const fold = ignoringCase(sensitive);
	const key = (item: Value) => fold(get(item));
	const groups: [Value, Value[]][] = [];
	for (const item of sorted(itemsOf(value), key, false)) {
		const last = groups.at(-1);
		if (last && equal(fold(last[0]), key(item))) last[1].push(item);
		else groups.push([get(item), [item]]);
	}
	return groups.map(([name, items]) => new Tuple([name, items]));
}

function batch(value: Value, count?: Value, fill?: Value): Value {
	const size = integerArgument('batch', count, 0);
	if (size < 1 || size > mostItems) throw new TemplateError('batch() needs a number of at least 1');
	const items = itemsOf(value);
	const rows = Array.from({length: Math.ceil(items.length / size)}, (_, i) => items.slice(i * size, (i + 1) * size));
	if (fill != null) for (const row of rows) while (row.length < size) row.push(fill);
	return rows;
}

function cut(value: Value, count?: Value, fill?: Value): Value {
	const slices = integerArgument('slice', count, 0);
	if (slices < 1 || slices > mostItems) throw new TemplateError('slice() needs a number of at least 1');
	const items = itemsOf(value);
	const size = Math.floor(items.length / slices);
	const longer = items.length % slices;
	let at = 0;
	return Array.from({length: slices}, (_, i) => {
		const start = at;
		at += size + (i < longer ? 1 : 0);
		const part = items.slice(start, at);
		return fill != null && i >= longer ? [...part, fill] : part;
	});
}

const first = (value: Value) => itemsOf(value)[0] ?? null;
const isEmpty = (value: Value) => itemsOf(value).length === 0;

/** Jinja's filters for lists. */
export const listFilters: Readonly<Record<string, Filter>> = {
	list: filter([], value => [...itemsOf(value)]),
	first: filter([], value => (isEmpty(value) ? new Undefined('No first item, sequence was empty.') : first(value))),
	last: filter([], value => {
		return isEmpty(value) ? new Undefined('No last item, sequence was empty.') : itemsOf(value).at(-1)!;
	}),
	join: filter(['d', 'attribute'], (value, separator = Text.empty, attribute) =>
		Text.join(itemsOf(value).map(getter(attribute)).map(textOf), textOf(separator)),
	),
	reverse: filter([], value => {
		const items = [...itemsOf(value)].reverse();
		return value instanceof Text ? Text.join(items.map(textOf)) : items;
	}),
	sort: filter(['reverse', 'case_sensitive', 'attribute'], (value, reverse, sensitive, attribute) => {
		const gets =
			attribute instanceof Text ? attribute.value.split(',').map(path => getter(Text.own(path))) : [getter(attribute)];
		const fold = ignoringCase(sensitive);
		const key = (item: Value) => new Tuple(gets.map(get => fold(get(item))));
		return sorted(itemsOf(value), key, flagArgument(reverse, false));
	}),
	dictsort: filter(['case_sensitive', 'by', 'reverse'], (value, sensitive, by, reverse) => {
		if (!(value instanceof Dict)) throw new TemplateError('dictsort() needs a mapping');
		const at = by === undefined || textOf(by).value === 'key' ? 0 : 1;
		const fold = ignoringCase(sensitive);
		const pairs = value.entries().map(pair => new Tuple(pair));
		return sorted(pairs, pair => fold((pair as Tuple).items[at]!), flagArgument(reverse, false));
	}),
	sum: filter(['attribute', 'start'], (value, attribute, start = 0) =>
		itemsOf(value)
			.map(getter(attribute))
			.reduce((sum, item) => operators['+']!(sum, item), start),
	),
	min: extreme(-1),
	max: extreme(1),
	unique: filter(['case_sensitive', 'attribute'], unique),
	groupby: filter(['attribute', 'default', 'case_sensitive'], groupBy),
	batch: filter(['linecount', 'fill_with'], batch),
	slice: filter(['slices', 'fill_with'], cut),
};

/** `select`, `reject`, `selectattr` and `rejectattr`: nothing is chosen of what is nothing. */
export function choose(value: Value, keeps: (item: Value) => boolean): Value {
	return isTrue(value) ? itemsOf(value).filter(keeps) : [];
}
