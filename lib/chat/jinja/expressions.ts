import {attributeOf, itemOf, sliceOf} from './attributes.js';
import {applyFilter} from './filters.js';
import {choose, getter} from './list-filters.js';
import {operators} from './operators.js';
import {textOf} from './print.js';
import type {Scope} from './scope.js';
import {type Filter, type Member, type Node, notTestMark, testMark} from './syntax.js';
import {testOf} from './tests.js';
import {TemplateError, Text} from './text.js';
import {
	type Arguments,
	Callable,
	Dict,
	Float,
	isTrue,
	itemsOf,
	numberOf,
	Tuple,
	typeName,
	Undefined,
	type Value,
} from './values.js';

const constants: Readonly<Record<string, Value>> = {
	true: true,
	True: true,
	false: false,
	False: false,
	none: null,
	None: null,
};

export function evaluate(node: Node, scope: Scope): Value {
	const value = compute(node, scope);
	// Lists and texts cost by their size.
	const size = Array.isArray(value) ? value.length : value instanceof Text ? value.value.length / 16 : 0;
	scope.budget.step(1 + Math.floor(size));
	return value;
}

function compute(node: Node, scope: Scope): Value {
	switch (node.type) {
		case 'StringLiteral':
			return Text.own(node.value);
		case 'IntegerLiteral':
			return node.value;
		case 'FloatLiteral':
			return new Float(node.value);
		case 'ArrayLiteral':
			return node.value.map(item => evaluate(item, scope));
		case 'TupleLiteral':
			return new Tuple(node.value.map(item => evaluate(item, scope)));
		case 'ObjectLiteral':
			return Dict.of([...node.value].map(([key, value]) => [evaluate(key, scope), evaluate(value, scope)] as const));
		case 'Identifier':
			return Object.hasOwn(constants, node.value) ? constants[node.value]! : scope.get(node.value);
		case 'MemberExpression':
			return member(node, scope);
		case 'CallExpression':
			return call(evaluate(node.callee, scope), argumentsOf(node.args, scope));
		case 'UnaryExpression':
			return unary(node.operator.value, evaluate(node.argument, scope));
		case 'BinaryExpression':
			return binary(node.operator.value, node.left, node.right, scope);
		case 'FilterExpression':
			return filtered(evaluate(node.operand, scope), node.filter, scope);
		case 'Ternary':
			return evaluate(isTrue(evaluate(node.condition, scope)) ? node.trueExpr : node.falseExpr, scope);
		case 'SelectExpression':
			if (isTrue(evaluate(node.test, scope))) return evaluate(node.lhs, scope);
			return new Undefined('the inline if-expression evaluated to false and no else section was defined.');
		default:
			throw new TemplateError(`a ${node.type} has no value`);
	}
}

export function call(callee: Value, args: Arguments): Value {
	if (callee instanceof Callable) return callee.call(args);
	if (callee instanceof Undefined) callee.fail();
	throw new TemplateError(`'${typeName(callee)}' object is not callable`);
}

export function argumentsOf(nodes: readonly Node[], scope: Scope): Arguments {
	const positional: Value[] = [];
	const named = new Map<string, Value>();
	for (const node of nodes) {
		if (node.type === 'KeywordArgumentExpression') named.set(node.key.value, evaluate(node.value, scope));
		else if (node.type === 'SpreadExpression') {
			for (const item of itemsOf(evaluate(node.argument, scope))) positional.push(item);
		} else if (node.type === 'KeywordSpreadExpression') {
			const given = evaluate(node.argument, scope);
			if (!(given instanceof Dict))
				throw new TemplateError(`argument after ** must be a mapping, not ${typeName(given)}`);
			for (const [key, value] of given.entries()) named.set(textOf(key).value, value);
		} else positional.push(evaluate(node, scope));
	}
	return {positional, named};
}

function member({object, property, computed}: Member, scope: Scope): Value {
	const value = evaluate(object, scope);
	if (property.type === 'SliceExpression') {
		const bounds = [property.start, property.stop, property.step];
		return sliceOf(
			value,
			bounds.map(bound => bound && evaluate(bound, scope)),
		);
	}
	if (!computed && property.type === 'Identifier') return attributeOf(value, Text.own(property.value));
	return itemOf(value, evaluate(property, scope));
}

function unary(operator: string, value: Value): Value {
	if (operator === 'not') return !isTrue(value);
	if (value instanceof Undefined) value.fail();
	const number = numberOf(value);
	if (number === undefined) throw new TemplateError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
	const result = operator === '-' ? -number : number;
	return value instanceof Float ? new Float(result) : result + 0;
}

const orderings = ['<', '<=', '>', '>='];

function binary(operator: string, left: Node, right: Node, scope: Scope): Value {
	if (operator === 'and' || operator === 'or') {
		const value = evaluate(left, scope);
		return isTrue(value) === (operator === 'and') ? evaluate(right, scope) : value;
	}
	// 1 < x < 3 asks for both, as in Python: the parser gives ((1 < x) < 3), which nobody means.
	if (orderings.includes(operator) && left.type === 'BinaryExpression' && orderings.includes(left.operator.value)) {
		const before = evaluate(left, scope);
		return isTrue(before) ? binary(operator, left.right, right, scope) : before;
	}
	const run = operators[operator];
	if (!run) throw new TemplateError(`there is no operator ${operator}`);
	return run(evaluate(left, scope), evaluate(right, scope));
}

/** A filter or, under its mark, a test. */
export function filtered(value: Value, filter: Filter, scope: Scope): Value {
	const name = (filter.type === 'Identifier' ? filter : (filter.callee as {value: string})).value;
	const args = filter.type === 'Identifier' ? noArguments : argumentsOf(filter.args, scope);
	if (name.startsWith(notTestMark)) return !tested(value, name.slice(notTestMark.length), args.positional);
	if (name.startsWith(testMark)) return tested(value, name.slice(testMark.length), args.positional);
	return filterNamed(name, value, args);
}

const noArguments: Arguments = {positional: [], named: new Map()};

function tested(value: Value, name: string, [argument = null]: readonly Value[]): boolean {
	return testOf(name)(value, argument);
}

/** A filter by its name. Some call other filters or tests by theirs. */
function filterNamed(name: string, value: Value, args: Arguments): Value {
	const [head, ...rest] = args.positional;
	switch (name) {
		case 'map': {
			const items = isTrue(value) ? itemsOf(value) : [];
			const attribute = args.named.get('attribute');
			if (attribute !== undefined) return items.map(getter(attribute, args.named.get('default')));
			const inner = {positional: rest, named: args.named};
			return items.map(item => filterNamed(textOf(head ?? null).value, item, inner));
		}
		case 'select':
		case 'reject':
			return choose(value, item => passes(item, args.positional) === (name === 'select'));
		case 'selectattr':
		case 'rejectattr': {
			const get = getter(head ?? null);
			return choose(value, item => passes(get(item), rest) === (name === 'selectattr'));
		}
		default:
			return applyFilter(name, value, args);
	}
}

function passes(value: Value, [test, ...args]: readonly Value[]): boolean {
	return test === undefined ? isTrue(value) : tested(value, textOf(test).value, args);
}
