import {bind, flagArgument, integerArgument} from './arguments.js';
import {attributeAlone, lengthOf} from './attributes.js';
import {formatPercent} from './format.js';
import {listFilters} from './list-filters.js';
import {jsonOf, textOf} from './print.js';
import {TemplateError, Text} from './text.js';
import {capitalize, lower, replace, split, strip, title, upper} from './text-methods.js';
import {
	type Arguments,
	Dict,
	Float,
	isInteger,
	isTrue,
	itemsOf,
	numberOf,
	Tuple,
	typeName,
	Undefined,
	type Value,
} from './values.js';

/** A filter: what it makes of a value, given the arguments in the order of its parameters. */
export type Filter = {
	readonly parameters: readonly string[];
	readonly run: (value: Value, ...given: (Value | undefined)[]) => Value;
};

const filter = (parameters: readonly string[], run: Filter['run']): Filter => ({parameters, run});
/** One that looks at its value as text, whatever it is. */
const ofText = (run: (text: Text) => Value): Filter => filter([], value => run(textOf(value)));
const optionalText = (value: Value | undefined) => (value == null ? undefined : textOf(value));

const length = filter([], value => {
	const found = lengthOf(value);
	if (found === undefined) throw new TemplateError(`object of type '${typeName(value)}' has no len()`);
	return found;
});

const orElse = filter(['default_value', 'boolean'], (value, usual = Text.empty, boolean) =>
	value instanceof Undefined || (flagArgument(boolean, false) && !isTrue(value)) ? usual : value,
);

const escaped = ofText(text =>
	text.map(c => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;'})[c] ?? c),
);

/** Jinja's filters that make one value of a value. */
const filters: Readonly<Record<string, Filter>> = {
	...listFilters,
	length,
	count: length,
	default: orElse,
	d: orElse,
	e: escaped,
	escape: escaped,
	safe: ofText(text => text),
	string: ofText(text => text),
	upper: ofText(upper),
	lower: ofText(lower),
	title: ofText(title),
	capitalize: ofText(capitalize),
	trim: filter(['chars'], (value, chars) => strip(textOf(value), optionalText(chars), true, true)),
	wordcount: ofText(text => text.value.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0),
	replace: filter(['old', 'new', 'count'], (value, from = Text.empty, to = Text.empty, count) =>
		replace(textOf(value), textOf(from), textOf(to), integerArgument('replace', count ?? undefined, -1)),
	),
	indent: filter(['width', 'first', 'blank'], indent),
	center: filter(['width'], (value, width) => {
		const text = textOf(value);
		const gap = Math.max(0, integerArgument('center', width, 80) - text.length);
		const space = Text.own(' ');
		return Text.join([space.times(Math.floor(gap / 2)), text, space.times(Math.ceil(gap / 2))]);
	}),
	truncate: filter(['length', 'killwords', 'end', 'leeway'], truncate),
	tojson: filter(['ensure_ascii', 'indent', 'separators', 'sort_keys'], toJson),
	abs: filter([], value => {
		const number = numberOf(value);
		if (number === undefined) throw new TemplateError(`bad operand type for abs(): '${typeName(value)}'`);
		return isInteger(value) ? Math.abs(number) : new Float(Math.abs(number));
	}),
	int: filter(['default', 'base'], (value, usual = 0, base) => {
		const number = numberOf(value) ?? parseNumber(givenText(value), integerArgument('int', base, 10));
		return number === undefined || !Number.isFinite(number) ? usual : Math.trunc(number);
	}),
	float: filter(['default'], (value, usual = new Float(0)) => {
		const number = numberOf(value) ?? parseNumber(givenText(value), 10);
		return number === undefined ? usual : new Float(number);
	}),
	round: filter(['precision', 'method'], round),
	attr: filter(['name'], (value, name) => attributeAlone(value, textOf(name ?? null))),
	items: filter([], value => {
		if (value instanceof Undefined) return [];
		if (!(value instanceof Dict)) throw new TemplateError('Can only get item pairs from a mapping.');
		return value.entries().map(pair => new Tuple(pair));
	}),
};

export function applyFilter(name: string, value: Value, args: Arguments): Value {
	if (name === 'format') return formatFilter(value, args);
	if (!Object.hasOwn(filters, name)) throw new TemplateError(`No filter named '${name}'.`);
	const {parameters, run} = filters[name]!;
	return run(value, ...bind(name, parameters, args));
}

function formatFilter(value: Value, {positional, named}: Arguments): Text {
	const entries = [...named].map(([key, item]) => [Text.own(key), item] as const);
	return formatPercent(textOf(value), named.size > 0 ? Dict.of(entries) : new Tuple(positional));
}

function indent(value: Value, width: Value = 4, first?: Value, blank?: Value): Text {
	const step = width instanceof Text ? width : Text.own(' ').times(integerArgument('indent', width, 4));
	const lines = split(replaceBreaks(textOf(value)), Text.own('\n'), -1);
	const indented = lines.map((line, i) => (i > 0 && (isTrue(blank ?? false) || line.value) ? step.plus(line) : line));
	const text = Text.join(indented, Text.own('\n'));
	return isTrue(first ?? false) ? step.plus(text) : text;
}

const replaceBreaks = (text: Text) =>
	replace(replace(text, Text.own('\r\n'), Text.own('\n'), -1), Text.own('\r'), Text.own('\n'), -1);

function truncate(value: Value, most?: Value, killWords?: Value, end: Value = Text.own('...'), leeway?: Value): Text {
	const text = textOf(value);
	const length = integerArgument('truncate', most, 255);
	if (text.length <= length + integerArgument('truncate', leeway ?? undefined, 5)) return text;
	const tail = textOf(end);
	const cut = text.points(0, Math.max(0, length - tail.length));
	const word = cut.value.lastIndexOf(' ');
	return (isTrue(killWords ?? false) || word < 0 ? cut : cut.slice(0, word)).plus(tail);
}

function toJson(value: Value, ascii?: Value, indentation?: Value, separators?: Value, sorted?: Value): Text {
	const step =
		indentation instanceof Text ? indentation.value : ' '.repeat(integerArgument('tojson', indentation ?? 0, 0));
	const given = separators == null ? [] : itemsOf(separators);
	return jsonOf(value, {
		indent: indentation == null ? undefined : step,
		ascii: flagArgument(ascii, false),
		separators: [
			given[0] === undefined ? Text.own(indentation == null ? ', ' : ',') : textOf(given[0]),
			given[1] === undefined ? Text.own(': ') : textOf(given[1]),
		],
		sorted: flagArgument(sorted, false),
	});
}

function givenText(value: Value): string {
	if (value instanceof Undefined) value.fail();
	return textOf(value).value;
}

function parseNumber(text: string, base: number): number | undefined {
	const trimmed = text.trim();
	if (base !== 10) {
		const number = Number.parseInt(trimmed.replace(/^0[xob]/i, ''), base);
		return Number.isNaN(number) ? undefined : number;
	}
	return /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?$/i.test(trimmed) ? Number(trimmed) : undefined;
}

/** Halves go to the even neighbour, as in Python. */
function round(value: Value, precision?: Value, method?: Value): Value {
	const number = numberOf(value);
	if (number === undefined) throw new TemplateError(`a ${typeName(value)} cannot be rounded`);
	const scale = 10 ** integerArgument('round', precision, 0);
	const way = method === undefined ? 'common' : textOf(method).value;
	if (way === 'ceil') return new Float(Math.ceil(number * scale) / scale);
	if (way === 'floor') return new Float(Math.floor(number * scale) / scale);
	if (isInteger(value)) return value;
	const scaled = number * scale;
	const low = Math.floor(scaled);
	const near = scaled - low === 0.5 ? low + (low % 2 === 0 ? 0 : 1) : Math.round(scaled);
	return new Float(near / scale);
}
