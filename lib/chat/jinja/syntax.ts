import {TemplateError} from './text.js';

// Not an import: the package has one declaration file, of its ES module, which TypeScript does not let CommonJS import.
const jinja = require('@huggingface/jinja') as {
	parse(tokens: readonly Token[]): {readonly body: readonly Node[]};
	tokenize(source: string, options: {lstrip_blocks: boolean; trim_blocks: boolean}): Token[];
};

type Token = {readonly type: string; readonly value: string};
type Named = {readonly type: 'Identifier'; readonly value: string};
type Call = {readonly type: 'CallExpression'; readonly callee: Node; readonly args: readonly Node[]};

export type Filter = Named | Call;
export type Macro = {
	readonly type: 'Macro';
	readonly name: Named;
	readonly args: readonly Node[];
	readonly body: readonly Node[];
};
export type CallBlock = {
	readonly type: 'CallStatement';
	readonly call: Call;
	readonly callerArgs: readonly Node[] | null;
	readonly body: readonly Node[];
};
export type For = {
	readonly type: 'For';
	readonly loopvar: Node;
	readonly iterable: Node;
	readonly body: readonly Node[];
	readonly defaultBlock: readonly Node[];
};
export type Assignment = {
	readonly type: 'Set';
	readonly assignee: Node;
	readonly value: Node | null;
	readonly body: readonly Node[];
};
type Slice = {
	readonly type: 'SliceExpression';
	readonly start?: Node;
	readonly stop?: Node;
	readonly step?: Node;
};
export type Member = {
	readonly type: 'MemberExpression';
	readonly object: Node;
	readonly property: Node;
	readonly computed: boolean;
};

/** What the library makes of a template. */
export type Node =
	| Named
	| Call
	| Macro
	| CallBlock
	| For
	| Assignment
	| Slice
	| Member
	| {readonly type: 'If'; readonly test: Node; readonly body: readonly Node[]; readonly alternate: readonly Node[]}
	| {readonly type: 'FilterStatement'; readonly filter: Filter; readonly body: readonly Node[]}
	| {readonly type: 'Break' | 'Continue' | 'Comment'}
	| {readonly type: 'StringLiteral'; readonly value: string}
	| {readonly type: 'IntegerLiteral' | 'FloatLiteral'; readonly value: number}
	| {readonly type: 'ArrayLiteral' | 'TupleLiteral'; readonly value: readonly Node[]}
	| {readonly type: 'ObjectLiteral'; readonly value: ReadonlyMap<Node, Node>}
	| {readonly type: 'UnaryExpression'; readonly operator: Token; readonly argument: Node}
	| {readonly type: 'BinaryExpression'; readonly operator: Token; readonly left: Node; readonly right: Node}
	| {readonly type: 'FilterExpression'; readonly operand: Node; readonly filter: Filter}
	| {readonly type: 'SelectExpression'; readonly lhs: Node; readonly test: Node}
	| {readonly type: 'Ternary'; readonly condition: Node; readonly trueExpr: Node; readonly falseExpr: Node}
	| {readonly type: 'KeywordArgumentExpression'; readonly key: Named; readonly value: Node}
	| {readonly type: 'SpreadExpression' | 'KeywordSpreadExpression'; readonly argument: Node};

/** Marks the filters that tests are parsed as. */
export const testMark = 'is ';
export const notTestMark = 'is not ';

/** @throws What is wrong with a template that is not Jinja. */
export function parseTemplate(source: string): readonly Node[] {
	// Python's Jinja reads every line break as \n before anything else.
	const tokens = jinja.tokenize(source.replace(/\r\n?/g, '\n'), {lstrip_blocks: true, trim_blocks: true});
	return jinja.parse(testsAsFilters(tokens)).body;
}

/**
The library's tests take no arguments. A test is a filter in all but name: `a is divisibleby 3` becomes
`a|is divisibleby(3)`, which the parser reads with the precedence Jinja gives both.
*/
function testsAsFilters(tokens: readonly Token[]): Token[] {
	const result: Token[] = [];
	let at = 0;
	while (at < tokens.length) {
		const token = tokens[at]!;
		if (!isWord(token, 'is') || tokens[at - 1]?.type === 'Dot' || tokens[at + 1]?.type !== 'Identifier') {
			result.push(token);
			at++;
			continue;
		}
		const negated = isWord(tokens[at + 1], 'not');
		const name = tokens[at + (negated ? 2 : 1)];
		if (name?.type !== 'Identifier') throw new TemplateError('a test has no name');
		result.push({type: 'Pipe', value: '|'});
		result.push({type: 'Identifier', value: (negated ? notTestMark : testMark) + name.value});
		at += negated ? 3 : 2;
		if (tokens[at]?.type === 'OpenParen' || !beginsArgument(tokens[at])) continue;
		const end = endOfArgument(tokens, at);
		result.push({type: 'OpenParen', value: '('}, ...testsAsFilters(tokens.slice(at, end)), {
			type: 'CloseParen',
			value: ')',
		});
		at = end;
	}
	return result;
}

function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
	return token?.type === 'Identifier' && words.includes(token.value);
}

function beginsArgument(token: Token | undefined): boolean {
	if (isWord(token, 'else', 'or', 'and', 'is', 'if', 'in', 'not')) return false;
	const beginnings = ['Identifier', 'StringLiteral', 'NumericLiteral', 'OpenSquareBracket', 'OpenCurlyBracket'];
	return beginnings.includes(token?.type ?? '');
}

/** After a value with what is called or looked up in it. */
function endOfArgument(tokens: readonly Token[], start: number): number {
	let at = endOfGroup(tokens, start);
	for (;;) {
		const type = tokens[at]?.type;
		if (type === 'Dot') at += 2;
		else if (type === 'OpenParen' || type === 'OpenSquareBracket') at = endOfGroup(tokens, at);
		else return at;
	}
}

function endOfGroup(tokens: readonly Token[], start: number): number {
	let depth = 0;
	let at = start;
	do {
		const type = tokens[at]?.type ?? '';
		if (/^Open(Paren|SquareBracket|CurlyBracket)$/.test(type)) depth++;
		if (/^Close(Paren|SquareBracket|CurlyBracket)$/.test(type)) depth--;
		at++;
	} while (depth > 0 && at < tokens.length);
	return at;
}
