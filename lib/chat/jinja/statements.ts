import {argumentsOf, call, evaluate, filtered} from './expressions.js';
import {textOf} from './print.js';
import {Scope} from './scope.js';
import type {Assignment, CallBlock, For, Node} from './syntax.js';
import {TemplateError, Text} from './text.js';
import {
	type Arguments,
	Attributes,
	Callable,
	Dict,
	equal,
	isTrue,
	itemsOf,
	Namespace,
	Tuple,
	Undefined,
	type Value,
} from './values.js';

/** Leaves a loop, or the rest of one turn of it. */
class Jump extends Error {
	readonly kind: 'Break' | 'Continue';

	constructor(kind: Jump['kind']) {
		super(`${kind.toLowerCase()} outside of a loop`);
		this.kind = kind;
	}
}

/** The text that statements write. */
export function textOfBody(body: readonly Node[], scope: Scope): Text {
	const out: Text[] = [];
	run(body, scope, out);
	return Text.join(out);
}

function run(body: readonly Node[], scope: Scope, out: Text[]): void {
	for (const node of body) {
		scope.budget.step();
		switch (node.type) {
			case 'Comment':
				break;
			case 'If':
				run(isTrue(evaluate(node.test, scope)) ? node.body : node.alternate, scope, out);
				break;
			case 'For':
				runLoop(node, scope, out);
				break;
			case 'Set':
				assign(node, scope);
				break;
			case 'Macro':
				scope.set(node.name.value, macro(node.name.value, node.args, node.body, scope));
				break;
			case 'CallStatement':
				out.push(textOf(callBlock(node, scope)));
				break;
			case 'FilterStatement':
				out.push(textOf(filtered(textOfBody(node.body, new Scope(scope)), node.filter, scope)));
				break;
			case 'Break':
			case 'Continue':
				throw new Jump(node.type);
			default:
				out.push(textOf(evaluate(node, scope)));
		}
	}
}

function runLoop(node: For, scope: Scope, out: Text[]): void {
	const {iterable, loopvar} = node;
	const turn = (item: Value) => {
		const inner = new Scope(scope);
		unpack(loopvar, item, inner);
		return inner;
	};
	const source = iterable.type === 'SelectExpression' ? iterable.lhs : iterable;
	let items = itemsOf(evaluate(source, scope));
	if (iterable.type === 'SelectExpression') items = items.filter(item => isTrue(evaluate(iterable.test, turn(item))));

	if (items.length === 0) run(node.defaultBlock, new Scope(scope), out);
	let seen: Value | undefined;
	const changed = new Callable(({positional}) => {
		const before = seen;
		seen = new Tuple(positional);
		return before === undefined || !equal(before, seen);
	});
	for (let i = 0; i < items.length; i++) {
		scope.budget.step();
		const inner = turn(items[i]!);
		inner.set('loop', loopAt(items, i, changed));
		try {
			run(node.body, inner, out);
		} catch (error) {
			if (!(error instanceof Jump)) throw error;
			if (error.kind === 'Break') return;
		}
	}
}

function loopAt(items: readonly Value[], i: number, changed: Callable): Attributes {
	const {length} = items;
	return new Attributes('LoopContext', {
		index: i + 1,
		index0: i,
		revindex: length - i,
		revindex0: length - i - 1,
		first: i === 0,
		last: i === length - 1,
		length,
		previtem: items[i - 1] ?? (i > 0 ? null : new Undefined('there is no previous item')),
		nextitem: items[i + 1] ?? (i + 1 < length ? null : new Undefined('there is no next item')),
		// Depths differ in recursive loops only, which the parser does not know.
		depth: 1,
		depth0: 0,
		changed,
		cycle: new Callable(({positional}) => {
			if (positional.length === 0) throw new TemplateError('no items for cycling given');
			return positional[i % positional.length]!;
		}),
	});
}

function assign({assignee, value, body}: Assignment, scope: Scope): void {
	if (value) {
		unpack(assignee, evaluate(value, scope), scope);
		return;
	}
	let target = assignee;
	const filters = [];
	// {% set name | filter %}
	for (; target.type === 'FilterExpression'; target = target.operand) filters.unshift(target.filter);
	const text: Value = textOfBody(body, new Scope(scope));
	const filteredText = filters.reduce<Value>((result, filter) => filtered(result, filter, scope), text);
	unpack(target, filteredText, scope);
}

function unpack(target: Node, value: Value, scope: Scope): void {
	if (target.type === 'Identifier') {
		scope.set(target.value, value);
	} else if (target.type === 'TupleLiteral') {
		const items = itemsOf(value);
		const wanted = target.value.length;
		if (items.length < wanted) {
			throw new TemplateError(`not enough values to unpack (expected ${wanted}, got ${items.length})`);
		}
		if (items.length > wanted) throw new TemplateError(`too many values to unpack (expected ${wanted})`);
		for (const [i, part] of target.value.entries()) unpack(part, items[i]!, scope);
	} else if (target.type === 'MemberExpression' && target.property.type === 'Identifier') {
		const object = evaluate(target.object, scope);
		if (!(object instanceof Namespace)) throw new TemplateError('cannot assign attribute on non-namespace object');
		object.attributes.set(target.property.value, value);
	} else {
		throw new TemplateError('nothing can be assigned to there');
	}
}

function macro(name: string, parameters: readonly Node[], body: readonly Node[], scope: Scope): Callable {
	const used = namesIn([...parameters, ...body]);
	return new Callable(args => {
		const inner = new Scope(scope);
		bindParameters(name, parameters, args, used, inner);
		return textOfBody(body, inner);
	});
}

function bindParameters(
	name: string,
	parameters: readonly Node[],
	{positional, named}: Arguments,
	used: ReadonlySet<string>,
	scope: Scope,
): void {
	const rest = new Map(named);
	parameters.forEach((parameter, i) => {
		const withDefault = parameter.type === 'KeywordArgumentExpression';
		const key = withDefault ? parameter.key.value : (parameter as {value: string}).value;
		const given = positional[i] ?? (i < positional.length ? null : rest.get(key));
		rest.delete(key);
		if (given !== undefined) scope.set(key, given);
		else
			scope.set(
				key,
				withDefault ? evaluate(parameter.value, scope) : new Undefined(`parameter '${key}' was not provided`),
			);
	});
	const caller = rest.get('caller');
	if (caller !== undefined) {
		scope.set('caller', caller);
		rest.delete('caller');
	}
	if (used.has('kwargs'))
		scope.set('kwargs', Dict.of([...rest].map(([key, value]) => [Text.own(key), value] as const)));
	else if (rest.size > 0) throw new TemplateError(`macro '${name}' takes no keyword argument '${[...rest.keys()][0]}'`);
	if (used.has('varargs')) scope.set('varargs', new Tuple(positional.slice(parameters.length)));
	else if (positional.length > parameters.length) {
		throw new TemplateError(`macro '${name}' takes not more than ${parameters.length} argument(s)`);
	}
}

function callBlock({call: target, callerArgs, body}: CallBlock, scope: Scope): Value {
	const {positional, named} = argumentsOf(target.args, scope);
	const caller = macro('caller', callerArgs ?? [], body, scope);
	return call(evaluate(target.callee, scope), {positional, named: new Map([...named, ['caller', caller]])});
}

/** Every name that is read or written somewhere in a template. */
function namesIn(nodes: readonly unknown[], names = new Set<string>()): Set<string> {
	for (const node of nodes) {
		if (typeof node !== 'object' || node === null) continue;
		if (node instanceof Map) namesIn([...node].flat(), names);
		else if ('type' in node && node.type === 'Identifier' && 'value' in node) names.add(String(node.value));
		else namesIn(Object.values(node), names);
	}
	return names;
}
