import {floatText, represent, textOf} from './print.js';
import {TemplateError, Text} from './text.js';
import {
	type Arguments,
	Dict,
	Float,
	isInteger,
	numberOf,
	sequenceOf,
	Tuple,
	typeName,
	Undefined,
	type Value,
} from './values.js';

/** Python's `str.format()`, with fields by place or name, `.key`, `[key]`, `!r` and the usual format specifications. */
export function formatBraces(text: Text, args: Arguments): Text {
	const parts: Text[] = [];
	let next = 0;
	let end = 0;
	for (const match of text.value.matchAll(/\{\{|\}\}|\{([^{}!:]*)(?:!([rs]))?(?::([^{}]*))?\}/g)) {
		parts.push(text.slice(end, match.index));
		end = match.index + match[0].length;
		if (match[0] === '{{' || match[0] === '}}') {
			parts.push(text.slice(match.index, match.index + 1));
			continue;
		}
		const [, field = '', conversion, specification = ''] = match;
		const [name = '', ...path] = field.split(/[.[\]]+/).filter((part, i) => i === 0 || part !== '');
		const place = name === '' ? next++ : /^\d+$/.test(name) ? Number(name) : undefined;
		let value = place === undefined ? args.named.get(name) : args.positional[place];
		for (const key of path)
			value = value instanceof Dict ? value.get(Text.own(key)) : sequenceOf(value ?? null)?.[Number(key)];
		if (value === undefined) throw new TemplateError(`format() has nothing for {${field}}`);
		parts.push(formatted(conversion === 'r' ? represent(value) : value, specification));
	}
	return Text.join([...parts, text.slice(end)]);
}

/** Python's `text % values`. */
export function formatPercent(text: Text, given: Value): Text {
	const values = given instanceof Tuple ? [...given.items] : [given];
	const parts: Text[] = [];
	let end = 0;
	for (const match of text.value.matchAll(/%(?:\((\w+)\))?([-+ 0#]*)([1-9]\d*)?(?:\.(\d+))?([sdifrxXeg%])/g)) {
		parts.push(text.slice(end, match.index));
		end = match.index + match[0].length;
		const [, key, flags = '', width = '', precision, kind = 's'] = match;
		if (kind === '%') {
			parts.push(Text.own('%'));
			continue;
		}
		const value = key === undefined ? values.shift() : given instanceof Dict ? given.get(Text.own(key)) : undefined;
		if (value === undefined) throw new TemplateError('not enough arguments for format string');
		const align = flags.includes('-') ? '<' : flags.includes('0') ? '' : '>';
		const sign = /[+ ]/.exec(flags)?.[0] ?? '';
		const zero = flags.includes('0') && !flags.includes('-') ? '0' : '';
		const digits = precision === undefined ? '' : `.${precision}`;
		const letter = kind === 'r' ? 's' : kind === 'i' ? 'd' : kind;
		const whole = letter === 'd' && value instanceof Float ? Math.trunc(value.value) : value;
		const specified = kind === 'r' ? represent(value) : letter === 's' ? textOf(value) : whole;
		parts.push(formatted(specified, `${align}${letter === 's' ? '' : sign + zero}${width}${digits}${letter}`));
	}
	if (values.length > 0 && !(given instanceof Dict)) {
		throw new TemplateError('not all arguments converted during string formatting');
	}
	return Text.join([...parts, text.slice(end)]);
}

/** A value by one of Python's format specifications. */
function formatted(value: Value, specification: string): Text {
	if (value instanceof Undefined) return Text.empty;
	const match = /^(?:(.)?([<>^=]))?([-+ ])?(0)?(\d+)?([,_])?(?:\.(\d+))?([sdfxXeg%]?)$/su.exec(specification);
	if (!match) throw new TemplateError(`a template uses the unknown format '${specification}'`);
	const [, fill, align, sign = '', zero, width = '0', group, precision, kind] = match;
	const number = numberOf(value);
	const plain = number === undefined || kind === 's' || (typeof value === 'boolean' && kind === '');
	if (plain && kind !== '' && kind !== 's') {
		throw new TemplateError(`Unknown format code '${kind}' for object of type '${typeName(value)}'`);
	}
	let body = plain ? textOf(value) : Text.own(numberText(value, number, kind!, precision, group));
	if (plain && precision !== undefined) body = body.points(0, Math.min(body.length, Number(precision)));
	if (!plain && sign && sign !== '-' && number >= 0) body = Text.own(sign).plus(body);
	const gap = Math.max(0, Number(width) - body.length);
	const filling = Text.own(fill ?? (zero && !align ? '0' : ' '));
	const side = align ?? (zero ? '=' : plain ? '<' : '>');
	const before = side === '<' ? 0 : side === '^' ? Math.floor(gap / 2) : gap;
	const head = side === '=' && /^[-+ ]/.test(body.value) ? 1 : 0;
	return Text.join([body.slice(0, head), filling.times(before), body.slice(head), filling.times(gap - before)]);
}

function numberText(
	value: Value,
	number: number,
	kind: string,
	precision: string | undefined,
	group: string | undefined,
): string {
	const digits = Math.min(100, Number(precision ?? 6));
	let written: string;
	if (kind === 'x' || kind === 'X') written = kind === 'x' ? number.toString(16) : number.toString(16).toUpperCase();
	else if (kind === 'd' || (kind === '' && isInteger(value) && precision === undefined)) written = String(number);
	else if (kind === 'f') written = fixed(number, digits);
	else if (kind === '%') written = `${fixed(number * 100, digits)}%`;
	else if (kind === 'e') written = number.toExponential(digits).replace(/e([-+])(\d)$/, 'e$10$2');
	else if (precision === undefined) written = floatText(number);
	else written = String(Number(number.toPrecision(Math.max(1, digits))));
	return group ? written.replace(/\d(?=(?:\d{3})+(?!\d))/g, `$&${group}`) : written;
}

/** As `toFixed`, but halves go to the even neighbour. */
function fixed(number: number, digits: number): string {
	const scale = 10 ** digits;
	const low = Math.floor(number * scale);
	const isHalf = number * scale - low === 0.5 && (low + 0.5) / scale === number;
	return (isHalf && low % 2 === 0 ? low / scale : number).toFixed(digits);
}
