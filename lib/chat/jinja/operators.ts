import {formatPercent} from './format.js';
import {textOf} from './print.js';
import {mostItems, TemplateError, Text} from './text.js';
import {
	compare,
	Dict,
	equal,
	Float,
	isInteger,
	itemsOf,
	numberOf,
	sequenceOf,
	sized,
	Tuple,
	typeName,
	Undefined,
	type Value,
} from './values.js';

type Operator = (a: Value, b: Value) => Value;

export const operators: Readonly<Record<string, Operator>> = {
	'~': (a, b) => textOf(a).plus(textOf(b)),
	'+': add,
	'-': (a, b) => arithmetic('-', a, b, (x, y) => x - y),
	'*': multiply,
	'/': (a, b) => new Float(divided('/', a, b, (x, y) => x / y)),
	'//': (a, b) =>
		keepKind(
			a,
			b,
			divided('//', a, b, (x, y) => Math.floor(x / y)),
		),
	'%': (a, b) =>
		a instanceof Text
			? formatPercent(a, b)
			: keepKind(
					a,
					b,
					divided('%', a, b, (x, y) => x - y * Math.floor(x / y)),
				),
	'**': (a, b) => arithmetic('**', a, b, (x, y) => x ** y),
	'==': equal,
	'!=': (a, b) => !equal(a, b),
	'<': (a, b) => compare(a, b) < 0,
	'<=': (a, b) => compare(a, b) <= 0,
	'>': (a, b) => compare(a, b) > 0,
	'>=': (a, b) => compare(a, b) >= 0,
	in: (a, b) => contains(b, a),
	'not in': (a, b) => !contains(b, a),
};

function unsupported(operator: string, a: Value, b: Value): never {
	if (a instanceof Undefined) a.fail();
	if (b instanceof Undefined) b.fail();
	throw new TemplateError(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

function add(a: Value, b: Value): Value {
	if (a instanceof Text && b instanceof Text) return a.plus(b);
	if (Array.isArray(a) && Array.isArray(b)) return sized([...a, ...b]);
	if (a instanceof Tuple && b instanceof Tuple) return new Tuple(sized([...a.items, ...b.items]));
	if (a instanceof Text && !(b instanceof Undefined)) {
		throw new TemplateError(`can only concatenate str (not "${typeName(b)}") to str`);
	}
	return arithmetic('+', a, b, (x, y) => x + y);
}

function multiply(a: Value, b: Value): Value {
	if (isInteger(a) && !isInteger(b) && (b instanceof Text || sequenceOf(b))) return multiply(b, a);
	if (!isInteger(b)) return arithmetic('*', a, b, (x, y) => x * y);
	if (a instanceof Text) return a.times(Number(b));
	const items = sequenceOf(a);
	if (!items) return arithmetic('*', a, b, (x, y) => x * y);
	const count = Math.max(0, Number(b));
	if (items.length * count > mostItems) throw new TemplateError('a list repeated too often');
	const repeated = items.length === 0 ? [] : Array.from({length: count}, () => items).flat();
	return a instanceof Tuple ? new Tuple(repeated) : repeated;
}

function arithmetic(operator: string, a: Value, b: Value, run: (x: number, y: number) => number): Value {
	const [x, y] = [numberOf(a), numberOf(b)];
	if (x === undefined || y === undefined) return unsupported(operator, a, b);
	return keepKind(a, b, run(x, y));
}

function divided(operator: string, a: Value, b: Value, run: (x: number, y: number) => number): number {
	const [x, y] = [numberOf(a), numberOf(b)];
	if (x === undefined || y === undefined) return unsupported(operator, a, b);
	if (y === 0) throw new TemplateError('division by zero');
	return run(x, y);
}

/** Whole numbers stay whole with whole numbers. */
function keepKind(a: Value, b: Value, result: number): Value {
	return isInteger(a) && isInteger(b) && Number.isInteger(result) ? result : new Float(result);
}

export function contains(container: Value, item: Value): boolean {
	if (container instanceof Dict) return container.get(item) !== undefined;
	if (!(container instanceof Text)) return itemsOf(container).some(other => equal(other, item));
	if (item instanceof Text) return container.value.includes(item.value);
	if (item instanceof Undefined) item.fail();
	throw new TemplateError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
}
