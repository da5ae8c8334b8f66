import {operators} from './operators.js';
import {TemplateError, Text} from './text.js';
import {lower, upper} from './text-methods.js';
import {Callable, Dict, Float, isInteger, numberOf, sequenceOf, Undefined, type Value} from './values.js';

type Test = (value: Value, argument: Value) => boolean;

const isSequence = (value: Value) => value instanceof Text || value instanceof Dict || sequenceOf(value) !== undefined;
const remainder = (value: Value, by: Value) => numberOf(operators['%']!(value, by));
const comparing =
	(operator: string): Test =>
	(a, b) =>
		operators[operator]!(a, b) === true;

/** Jinja's tests. */
const tests: Readonly<Record<string, Test>> = {
	defined: value => !(value instanceof Undefined),
	undefined: value => value instanceof Undefined,
	none: value => value === null,
	boolean: value => typeof value === 'boolean',
	true: value => value === true,
	false: value => value === false,
	string: value => value instanceof Text,
	mapping: value => value instanceof Dict,
	number: value => numberOf(value) !== undefined,
	integer: value => typeof value === 'number',
	float: value => value instanceof Float,
	// An undefined value can be walked over, and has a length.
	iterable: value => isSequence(value) || value instanceof Undefined,
	sequence: value => isSequence(value) || value instanceof Undefined,
	callable: value => value instanceof Callable,
	escaped: () => false,
	lower: value => value instanceof Text && /\p{L}/u.test(value.value) && lower(value).value === value.value,
	upper: value => value instanceof Text && /\p{L}/u.test(value.value) && upper(value).value === value.value,
	odd: value => remainder(value, 2) === 1,
	even: value => remainder(value, 2) === 0,
	divisibleby: (value, by) => remainder(value, by) === 0,
	sameas: (a, b) => a === b || (isInteger(a) && a === b),
	in: comparing('in'),
	eq: comparing('=='),
	ne: comparing('!='),
	lt: comparing('<'),
	le: comparing('<='),
	gt: comparing('>'),
	ge: comparing('>='),
};

const otherNames: Readonly<Record<string, string>> = {
	equalto: 'eq',
	'==': 'eq',
	'!=': 'ne',
	lessthan: 'lt',
	'<': 'lt',
	'<=': 'le',
	greaterthan: 'gt',
	'>': 'gt',
	'>=': 'ge',
};

export function testOf(name: string): Test {
	const known = otherNames[name] ?? name;
	if (Object.hasOwn(tests, known)) return tests[known]!;
	throw new TemplateError(`No test named '${name}'.`);
}
