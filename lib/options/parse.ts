import * as v from 'valibot';
import {ExlError} from '../errors/index.js';
import {nearest} from './nearest.js';

/**
Validates what a caller passed in and fills in defaults.

Every schema carries the phrase that completes "temperature must be ..." as its message: `v.number('a number')`.

@param what Where the value comes from, as it would be typed: `generate()`.
@throws {ExlError} `EXL_INVALID_ARGUMENT` for the first thing wrong: its name, what was expected, what was found.
*/
export function parseOptions<const Schema extends v.GenericSchema>(
	schema: Schema,
	input: unknown,
	what: string,
): v.InferOutput<Schema> {
	const result = v.safeParse(schema, input, {abortEarly: true});
	if (result.success) return result.output;

	const issue = result.issues[0];
	const path = pathOf(issue);
	const message = isUnknownKey(issue) ? unknownOption(schema, issue, what) : explain(issue, path, what);
	throw new ExlError('EXL_INVALID_ARGUMENT', message, path === '' ? {} : {op: path});
}

/** A number that passes `test`. `phrase` completes "must be". */
export function numberWhere(phrase: string, test: (value: number) => boolean): v.GenericSchema<number> {
	return v.custom<number>(value => typeof value === 'number' && Number.isFinite(value) && test(value), phrase);
}

/** A whole number from `min` to `max`, both included. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): v.GenericSchema<number> {
	const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
	return numberWhere(`a whole number ${range}`, n => Number.isInteger(n) && n >= min && n <= max);
}

/** Recognised by what it can do: a signal of another realm or of a polyfill is as good. */
export const abortSignal = v.custom<AbortSignal>(value => {
	const signal = value as Partial<AbortSignal> | null;
	return typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function';
}, 'an AbortSignal');

/** A value as an error message shows it: short, whatever it is. */
export function describe(value: unknown): string {
	if (Array.isArray(value)) return `a list of ${value.length}`;
	if (typeof value === 'function') return 'a function';
	if (typeof value === 'object' && value !== null) return 'an object';
	const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
	return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

type Issue = v.BaseIssue<unknown>;

function explain(issue: Issue, path: string, what: string): string {
	const name = path === '' ? `the argument of ${what}` : path;
	const missing = issue.type === 'strict_object' || issue.type === 'loose_object';
	if (missing && issue.path?.at(-1)?.origin === 'key') return `${name} of ${what} is missing`;
	return `${name} must be ${issue.message}; got ${describe(issue.input)}`;
}

/** `cache.tokens`, `messages[0].role`. */
function pathOf(issue: Issue): string {
	const keys = issue.path?.map(item => (typeof item.key === 'number' ? `[${item.key}]` : `.${String(item.key)}`));
	return (keys ?? []).join('').replace(/^\./, '');
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

type Inner = {readonly entries?: Record<string, Inner>; readonly wrapped?: Inner; readonly item?: Inner};

function knownKeys(schema: unknown, path: readonly v.IssuePathItem[]): string[] {
	let inner: Inner | undefined = unwrap(schema as Inner);
	for (const {key} of path) inner = unwrap(inner?.entries?.[String(key)] ?? inner?.item);
	return Object.keys(inner?.entries ?? {});
}

function unwrap(schema: Inner | undefined): Inner | undefined {
	return schema?.wrapped ? unwrap(schema.wrapped) : schema;
}
