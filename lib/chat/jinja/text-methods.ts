import {callable, integerArgument, textArgument} from './arguments.js';
import {formatBraces} from './format.js';
import {TemplateError, Text} from './text.js';
import {Callable, equal, itemsOf, sequenceOf, Tuple, type Value} from './values.js';

/** What Python's `str.isspace()` is true of: what `str.strip()` and `str.split()` mean by white space. */
function isSpace(character: string): boolean {
	const code = character.charCodeAt(0);
	return (code >= 0x1c && code <= 0x1f) || code === 0x85 || (code !== 0xfeff && /\s/.test(character));
}

/** Without the characters at its ends that `set` has, or white space. */
export function strip(text: Text, set: Text | undefined, left: boolean, right: boolean): Text {
	const characters = set && new Set(set.value);
	const goes = (character: string) => (characters ? characters.has(character) : isSpace(character));
	const {value} = text;
	let start = 0;
	let end = value.length;
	if (left) {
		for (const character of value) {
			if (!goes(character)) break;
			start += character.length;
		}
	}
	while (right && end > start) {
		const character = lastCharacter(value, end);
		if (!goes(character)) break;
		end -= character.length;
	}
	return text.slice(start, end);
}

/** The code point that ends at `end`. */
function lastCharacter(value: string, end: number): string {
	const pair = value.slice(Math.max(0, end - 2), end);
	return /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/.test(pair) ? pair : pair.slice(-1);
}

export function split(text: Text, separator: Text | undefined, most: number): Text[] {
	const parts: Text[] = [];
	if (!separator) {
		const {value} = text;
		let start = 0;
		for (;;) {
			while (start < value.length && isSpace(value[start]!)) start++;
			if (start === value.length) return parts;
			if (parts.length === most) return [...parts, text.slice(start)];
			let end = start;
			while (end < value.length && !isSpace(value[end]!)) end++;
			parts.push(text.slice(start, end));
			start = end;
		}
	}
	if (separator.value === '') throw new TemplateError('empty separator');
	let at = 0;
	for (;;) {
		const next = text.value.indexOf(separator.value, at);
		if (next < 0 || parts.length === most) return [...parts, text.slice(at)];
		parts.push(text.slice(at, next));
		at = next + separator.value.length;
	}
}

function splitFromRight(text: Text, separator: Text | undefined, most: number): Text[] {
	if (most < 0) return split(text, separator, most);
	const parts: Text[] = [];
	let rest = separator ? text : strip(text, undefined, false, true);
	while (parts.length < most) {
		const at = separator ? rest.value.lastIndexOf(separator.value) : lastGap(rest.value);
		if (at < 0) break;
		parts.unshift(rest.slice(at + (separator?.value.length ?? 1)));
		rest = separator ? rest.slice(0, at) : strip(rest.slice(0, at), undefined, false, true);
	}
	return rest.value === '' && !separator ? parts : [rest, ...parts];
}

function lastGap(value: string): number {
	for (let at = value.length - 1; at >= 0; at--) if (isSpace(value[at]!)) return at;
	return -1;
}

export function replace(text: Text, from: Text, to: Text, most: number): Text {
	if (most === 0) return text;
	if (from.value !== '') return Text.join(split(text, from, most), to);
	const parts = text.characters().flatMap((character, i) => (most < 0 || i < most ? [to, character] : [character]));
	return Text.join(most < 0 || parts.length < 2 * most ? [...parts, to] : parts);
}

export const capitalize = (text: Text) => Text.join([upper(text.points(0, 1)), lower(text.points(1, text.length))]);
export const upper = (text: Text) => recased(text, text.value.toUpperCase());
export const lower = (text: Text) => recased(text, text.value.toLowerCase());

function recased(text: Text, value: string): Text {
	return value.length === text.value.length ? new Text(value, text.marks) : text.whole(value);
}

/** Each run of letters with a capital. */
export function title(text: Text): Text {
	const value = text.value.replace(/\p{L}+/gu, word => {
		const [first = ''] = word;
		return first.toUpperCase() + word.slice(first.length).toLowerCase();
	});
	return recased(text, value);
}

function padded(text: Text, width: number, fill: Text, before: (gap: number) => number): Text {
	const gap = Math.max(0, width - text.length);
	return Text.join([fill.times(before(gap)), text, fill.times(gap - before(gap))]);
}

const stripping = (text: Text, name: string, left: boolean, right: boolean) =>
	callable(name, ['chars'], chars => strip(text, chars == null ? undefined : textArgument(name, chars), left, right));

/** Places as of a slice, in code points. Undefined if the range begins behind the text. */
function rangeOf(text: Text, call: string, start: Value | undefined, end: Value | undefined) {
	const {length} = text;
	const [from, to] = [start ?? 0, end ?? length].map(value => {
		const at = integerArgument(call, value, 0);
		return at < 0 ? Math.max(0, at + length) : at;
	}) as [number, number];
	return from > length ? undefined : {from, part: text.points(from, Math.max(from, Math.min(to, length)))};
}

const testing = (text: Text, name: string, test: (value: string, affix: string) => boolean) =>
	callable(name, ['affix', 'start', 'end'], (affix, start, end) => {
		const range = rangeOf(text, name, start, end);
		const affixes = affix instanceof Tuple ? affix.items : [affix];
		return affixes.map(one => textArgument(name, one).value).some(one => range && test(range.part.value, one));
	});

const splitting = (text: Text, name: string, run: typeof split) =>
	callable(name, ['sep', 'maxsplit'], (sep, most) =>
		run(text, sep == null ? undefined : textArgument(name, sep), integerArgument(name, most, -1)),
	);

const finding = (text: Text, name: string, find: (value: string, part: string) => number) =>
	callable(name, ['sub', 'start', 'end'], (sub, start, end) => {
		const wanted = textArgument(name, sub).value;
		const range = rangeOf(text, name, start, end);
		const at = range ? find(range.part.value, wanted) : -1;
		if (at < 0 && name.endsWith('index')) throw new TemplateError('substring not found');
		return at < 0 ? at : range!.from + range!.part.slice(0, at).length;
	});

const padding = (text: Text, name: string, before: (gap: number) => number) =>
	callable(name, ['width', 'fillchar'], (width, fill) =>
		padded(
			text,
			integerArgument(name, width, 0),
			fill === undefined ? Text.own(' ') : textArgument(name, fill),
			before,
		),
	);

const partitioning = (text: Text, name: string, last: boolean) =>
	callable(name, ['sep'], given => {
		const sep = textArgument(name, given);
		const at = last ? text.value.lastIndexOf(sep.value) : text.value.indexOf(sep.value);
		if (at < 0) return new Tuple(last ? [Text.empty, Text.empty, text] : [text, Text.empty, Text.empty]);
		const end = at + sep.value.length;
		return new Tuple([text.slice(0, at), text.slice(at, end), text.slice(end)]);
	});

const simple = (name: string, run: () => Value) => callable(name, [], run);
const matches = (text: Text, name: string, pattern: RegExp) => simple(name, () => pattern.test(text.value));

/** Methods of Python's `str`. */
export const textMethods: Readonly<Record<string, (text: Text) => Callable>> = {
	strip: text => stripping(text, 'strip', true, true),
	lstrip: text => stripping(text, 'lstrip', true, false),
	rstrip: text => stripping(text, 'rstrip', false, true),
	startswith: text => testing(text, 'startswith', (value, affix) => value.startsWith(affix)),
	endswith: text => testing(text, 'endswith', (value, affix) => value.endsWith(affix)),
	removeprefix: text =>
		callable('removeprefix', ['prefix'], prefix => {
			const {value} = textArgument('removeprefix', prefix);
			return text.value.startsWith(value) ? text.slice(value.length) : text;
		}),
	removesuffix: text =>
		callable('removesuffix', ['suffix'], suffix => {
			const {value} = textArgument('removesuffix', suffix);
			return value && text.value.endsWith(value) ? text.slice(0, -value.length) : text;
		}),
	split: text => splitting(text, 'split', split),
	rsplit: text => splitting(text, 'rsplit', splitFromRight),
	splitlines: text =>
		callable('splitlines', ['keepends'], keep =>
			[...text.value.matchAll(/(?:[^\r\n]*)(?:\r\n|\r|\n)|[^\r\n]+$/g)].map(({0: line, index}) =>
				text.slice(index, index + (keep === true ? line : line.replace(/[\r\n]+$/, '')).length),
			),
		),
	partition: text => partitioning(text, 'partition', false),
	rpartition: text => partitioning(text, 'rpartition', true),
	replace: text =>
		callable('replace', ['old', 'new', 'count'], (from, to, count) =>
			replace(text, textArgument('replace', from), textArgument('replace', to), integerArgument('replace', count, -1)),
		),
	join: text =>
		callable('join', ['iterable'], items =>
			Text.join(
				itemsOf(items ?? null).map(item => textArgument('join', item)),
				text,
			),
		),
	find: text => finding(text, 'find', (value, part) => value.indexOf(part)),
	rfind: text => finding(text, 'rfind', (value, part) => value.lastIndexOf(part)),
	index: text => finding(text, 'index', (value, part) => value.indexOf(part)),
	rindex: text => finding(text, 'rindex', (value, part) => value.lastIndexOf(part)),
	count: text =>
		callable('count', ['sub', 'start', 'end'], (sub, start, end) => {
			const wanted = textArgument('count', sub);
			const range = rangeOf(text, 'count', start, end);
			if (!range) return 0;
			return wanted.value === '' ? range.part.length + 1 : split(range.part, wanted, -1).length - 1;
		}),
	upper: text => simple('upper', () => upper(text)),
	lower: text => simple('lower', () => lower(text)),
	swapcase: text =>
		simple('swapcase', () => text.map(c => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase()))),
	casefold: text => simple('casefold', () => lower(text)),
	capitalize: text => simple('capitalize', () => capitalize(text)),
	title: text => simple('title', () => title(text)),
	ljust: text => padding(text, 'ljust', () => 0),
	rjust: text => padding(text, 'rjust', gap => gap),
	center: text => padding(text, 'center', gap => Math.floor(gap / 2)),
	zfill: text =>
		callable('zfill', ['width'], width => {
			const sign = /^[-+]/.test(text.value) ? 1 : 0;
			const digits = padded(text.slice(sign), integerArgument('zfill', width, 0) - sign, Text.own('0'), gap => gap);
			return text.slice(0, sign).plus(digits);
		}),
	isdigit: text => matches(text, 'isdigit', /^[\p{Nd}\u00B2\u00B3\u00B9]+$/u),
	isdecimal: text => matches(text, 'isdecimal', /^\p{Nd}+$/u),
	isnumeric: text => matches(text, 'isnumeric', /^\p{N}+$/u),
	isalpha: text => matches(text, 'isalpha', /^\p{L}+$/u),
	isalnum: text => matches(text, 'isalnum', /^[\p{L}\p{N}]+$/u),
	isspace: text => simple('isspace', () => text.value !== '' && strip(text, undefined, true, false).value === ''),
	isupper: text => matches(text, 'isupper', /^(?=.*\p{Lu})[^\p{Ll}\p{Lt}]+$/su),
	islower: text => matches(text, 'islower', /^(?=.*\p{Ll})[^\p{Lu}\p{Lt}]+$/su),
	format: text => new Callable(args => formatBraces(text, args)),
};

/** Methods of a list or a tuple that change nothing: templates run where nothing can be changed. */
export function listMethod(value: Value, name: string): Callable | undefined {
	const items = sequenceOf(value)!;
	if (name === 'count')
		return callable('count', ['value'], wanted => items.filter(item => equal(item, wanted ?? null)).length);
	if (name !== 'index') return undefined;
	return callable('index', ['value'], wanted => {
		const at = items.findIndex(item => equal(item, wanted ?? null));
		if (at < 0) throw new TemplateError('the value is not in the list');
		return at;
	});
}
