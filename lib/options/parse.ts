import * as v from 'valibot';
import {ExlError} from '../errors/index.js';
import {nearest, nearestValue} from './nearest.js';

/**
Validates options a caller passed in and fills in defaults.

Every schema carries the phrase that completes "temperature must be ..." as its message: `v.number('a number')`.

@param what Where the value comes from, as it would be typed: `generate()`.
@throws {ExlError} `EXL_INVALID_ARGUMENT` for the first thing wrong: its name, what was expected, what was found.
*/
export function parseOptions<const Schema extends v.GenericSchema>(
	schema: Schema,
	input: unknown,
	what: string,
): v.InferOutput<Schema> {
	const result = v.safeParse(schema, input, {abortPipeEarly: true});
	if (result.success) return result.output;

	const [first] = result.issues;
	// What was misspelt looks absent.
	const issue = (isMissing(first) && result.issues.find(isUnknownKey)) || first;
	const path = pathOf(issue);
	const message = isUnknownKey(issue) ? unknownOption(schema, issue, what) : explain(schema, issue, path, what);
	throw new ExlError('EXL_INVALID_ARGUMENT', message, path === '' ? {} : {op: path});
}

/**
Validates one argument of a function; errors name it as `parseOptions` does an option.

@param name As the function's declaration calls it: `ids`.
@throws {ExlError} `EXL_INVALID_ARGUMENT`.
*/
export function parseArgument<T>(schema: v.GenericSchema<unknown, T>, value: unknown, name: string, what: string): T {
	return parseOptions(v.object({[name]: schema}), {[name]: value}, what)[name] as T;
}

/** A value as an error message shows it: short, whatever it is. */
export function describe(value: unknown): string {
	if (Array.isArray(value)) return `a list of ${value.length}`;
	if (typeof value === 'function') return 'a function';
	if (typeof value === 'object' && value !== null) return describeObject(value);
	if (typeof value === 'bigint') return `${value}n`;
	const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
	return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

/** `an object`, or its kind if that is a built-in one: `a Map`. */
function describeObject(value: object): string {
	const kind = Object.prototype.toString.call(value).slice('[object '.length, -1);
	if (kind === 'Object') return 'an object';
	return `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

type Issue = v.BaseIssue<unknown>;

function explain(schema: unknown, issue: Issue, path: string, what: string): string {
	const name = path === '' ? `the options of ${what}` : path;
	if (isMissing(issue)) return `${name} of ${what} is missing`;
	const guess = typeof issue.input === 'string' ? nearestValue(issue.input, namesAt(schema, issue)) : undefined;
	const hint = guess === undefined ? '' : `; did you mean "${guess}"?`;
	return `${name} must be ${issue.message}; got ${describe(issue.input)}${hint}`;
}

/** `cache.tokens`, `messages[0].role`. */
function pathOf(issue: Issue): string {
	const keys = issue.path?.map(item => (typeof item.key === 'number' ? `[${item.key}]` : `.${String(item.key)}`));
	return (keys ?? []).join('').replace(/^\./, '');
}

function isMissing(issue: Issue): boolean {
	const isObject = issue.type === 'strict_object' || issue.type === 'loose_object';
	return isObject && issue.path?.at(-1)?.origin === 'key' && !isUnknownKey(issue);
}

function isUnknownKey(issue: Issue): boolean {
	return issue.type === 'strict_object' && issue.expected === 'never';
}

function unknownOption(schema: v.GenericSchema, issue: Issue, what: string): string {
	const known = knownKeys(schema, issue.path?.slice(0, -1) ?? []);
	const name = String(issue.path?.at(-1)?.key);
	const guess = nearest(name, known);
	const hint = guess === undefined ? `it takes ${known.join(', ')}` : `did you mean "${guess}"?`;
	return `${what} has no option "${pathOf(issue)}"; ${hint}`;
}

type Inner = {
	readonly entries?: Record<string, Inner>;
	readonly wrapped?: Inner;
	readonly item?: Inner;
	readonly pipe?: readonly Inner[];
};

function knownKeys(schema: unknown, path: readonly v.IssuePathItem[]): string[] {
	return Object.keys(containerOf(schemaAt(schema, path))?.entries ?? {});
}

/** What the schema of a wrong value would have taken. */
function namesAt(schema: unknown, {path}: Issue): readonly string[] {
	const inner = schemaAt(schema, path ?? []) as v.GenericSchema | undefined;
	const {names} = inner ? (v.getMetadata(inner) as {names?: readonly string[]}) : {};
	return names ?? [];
}

function schemaAt(schema: unknown, path: readonly v.IssuePathItem[]): Inner | undefined {
	let inner = withoutOptional(schema as Inner);
	for (const {key} of path) {
		const container = containerOf(inner);
		inner = withoutOptional(container?.entries?.[String(key)] ?? container?.item);
	}
	return inner;
}

function withoutOptional(schema: Inner | undefined): Inner | undefined {
	return schema?.wrapped ? withoutOptional(schema.wrapped) : schema;
}

/** The part of a pipe that has entries or items. */
function containerOf(schema: Inner | undefined): Inner | undefined {
	if (!schema?.pipe) return schema?.entries || schema?.item ? schema : undefined;
	return schema.pipe.map(containerOf).find(part => part !== undefined);
}
