import {TemplateError, Text} from './text.js';
import {Dict, Float, isInteger, sequenceOf, Tuple, typeName, Undefined, type Value} from './values.js';

/** Python's `str()`. */
export function textOf(value: Value): Text {
	if (value instanceof Text) return value;
	return value instanceof Undefined ? Text.empty : represent(value);
}

/** Python's `repr()`. */
export function represent(value: Value): Text {
	if (value === null) return Text.own('None');
	if (typeof value === 'boolean') return Text.own(value ? 'True' : 'False');
	if (typeof value === 'number') return Text.own(String(value));
	if (value instanceof Float) return Text.own(floatText(value.value));
	if (value instanceof Text) return quoted(value);
	if (value instanceof Undefined) return Text.own('Undefined');
	const items = sequenceOf(value);
	if (value instanceof Tuple && value.items.length === 1) return wrapped('(', [represent(value.items[0]!)], ',)');
	if (items)
		return Array.isArray(value) ? wrapped('[', items.map(represent), ']') : wrapped('(', items.map(represent), ')');
	if (!(value instanceof Dict)) return Text.own(`<${typeName(value)}>`);
	const pairs = value.entries().map(([key, item]) => Text.join([represent(key), represent(item)], Text.own(': ')));
	return wrapped('{', pairs, '}');
}

function wrapped(open: string, parts: readonly Text[], close: string, separator = ', '): Text {
	return Text.join([Text.own(open), Text.join(parts, Text.own(separator)), Text.own(close)]);
}

/** As Python writes a float: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on. */
export function floatText(value: number): string {
	if (Number.isNaN(value)) return 'nan';
	if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
	if (Object.is(value, -0)) return '-0.0';
	const size = Math.abs(value);
	if (value !== 0 && (size < 1e-4 || size >= 1e16)) {
		const [digits, exponent = ''] = value.toExponential().split('e');
		return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
	}
	return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

function quoted(text: Text): Text {
	const quote = text.value.includes("'") && !text.value.includes('"') ? '"' : "'";
	const escapes: Record<string, string> = {'\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', [quote]: `\\${quote}`};
	const inner = text.map(character => {
		const escaped = escapes[character];
		if (escaped !== undefined) return escaped;
		if (character === ' ' || !/[\p{C}\p{Z}]/u.test(character)) return character;
		const hex = character.codePointAt(0)!.toString(16);
		if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
		return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
	});
	return Text.join([Text.own(quote), inner, Text.own(quote)]);
}

export type JsonOptions = {
	readonly indent: string | undefined;
	readonly ascii: boolean;
	readonly separators: readonly [Text, Text];
	readonly sorted: boolean;
};

/** Python's `json.dumps()`. */
export function jsonOf(value: Value, options: JsonOptions, depth = 0): Text {
	if (value === null) return Text.own('null');
	if (typeof value === 'boolean') return Text.own(String(value));
	if (isInteger(value)) return Text.own(String(value));
	if (value instanceof Float) {
		return Text.own(floatText(value.value).replace('inf', 'Infinity').replace('nan', 'NaN'));
	}
	if (value instanceof Text) return jsonText(value, options.ascii);
	const items = sequenceOf(value);
	if (items)
		return jsonBlock(
			'[',
			items.map(item => jsonOf(item, options, depth + 1)),
			']',
			options,
			depth,
		);
	if (!(value instanceof Dict)) throw new TemplateError(`Object of type ${typeName(value)} is not JSON serializable`);
	const entries = value.entries().map(([key, item]) => [jsonKey(key), item] as const);
	if (options.sorted) entries.sort(([a], [b]) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
	const pairs = entries.map(([key, item]) =>
		Text.join([jsonText(key, options.ascii), jsonOf(item, options, depth + 1)], options.separators[1]),
	);
	return jsonBlock('{', pairs, '}', options, depth);
}

function jsonBlock(open: string, parts: readonly Text[], close: string, options: JsonOptions, depth: number): Text {
	const {indent, separators} = options;
	if (indent === undefined || parts.length === 0) {
		return Text.join([Text.own(open), Text.join(parts, separators[0]), Text.own(close)]);
	}
	const inner = Text.own(`\n${indent.repeat(depth + 1)}`);
	const body = Text.join(parts, separators[0].plus(inner));
	return Text.join([Text.own(open), inner, body, Text.own(`\n${indent.repeat(depth)}${close}`)]);
}

function jsonKey(key: Value): Text {
	if (key instanceof Text) return key;
	if (key === null || typeof key === 'boolean') return Text.own(String(key));
	if (typeof key === 'number' || key instanceof Float) return represent(key);
	throw new TemplateError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

function jsonText(text: Text, ascii: boolean): Text {
	const inner = text.map(character => {
		const escaped = JSON.stringify(character).slice(1, -1);
		// JSON.stringify escapes halves of characters, which Python writes as they are.
		const written = ascii || !escaped.startsWith('\\ud') ? escaped : character;
		if (!ascii) return written;
		return written.replace(/[\x7F-\uFFFF]/g, unit =>
			unit === '\x7F' ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
		);
	});
	return Text.join([Text.own('"'), inner, Text.own('"')]);
}
