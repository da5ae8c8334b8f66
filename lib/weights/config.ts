import {join} from 'node:path';
import {ExlError} from '../errors/index.js';
import {describeList, isObject, type JsonObject, readJsonObject} from './json.js';

/** A field, or several to try from left to right. A dot leads into a nested object: `rope_scaling.factor`. */
export type FieldName = string | readonly string[];

type Kind<T> = {readonly expected: string; readonly accepts: (value: unknown) => value is T};

const maxInt = 2 ** 31 - 1;

const kinds = {
	int: integerFrom(1),
	index: integerFrom(0),
	number: kind('a finite number', (value): value is number => Number.isFinite(value)),
	bool: kind('true or false', value => typeof value === 'boolean'),
	string: kind('a string', value => typeof value === 'string'),
	object: kind('an object', isObject),
};

const lists = {indices: listOf(kinds.index), numbers: listOf(kinds.number), strings: listOf(kinds.string)};

function kind<T>(expected: string, accepts: (value: unknown) => value is T): Kind<T> {
	return {expected, accepts};
}

function integerFrom(least: number): Kind<number> {
	return kind(
		`an integer from ${least} to ${maxInt}`,
		(value): value is number => Number.isInteger(value) && (value as number) >= least && (value as number) <= maxInt,
	);
}

function listOf<T>({expected, accepts}: Kind<T>): Kind<readonly T[]> {
	return kind(`a list, each ${expected}`, (value): value is T[] => Array.isArray(value) && value.every(accepts));
}

/**
Reads the fields of a `config.json`. A field that is `null` counts as missing.

Every method throws `EXL_MODEL_INVALID` if the field has another type, and, without a fallback, if it is missing; the
`optional` ones return `undefined` then.
*/
export class ConfigReader {
	readonly file: string;
	readonly #json: JsonObject;
	readonly #path: string;

	/** @param path What leads to `json` inside the file, with a dot at its end. */
	constructor(json: JsonObject, file: string, path = '') {
		this.#json = json;
		this.file = file;
		this.#path = path;
	}

	/** @throws {ExlError} `EXL_MODEL_NOT_FOUND` if there is no such file, `EXL_FORMAT_INVALID` if it is no JSON object. */
	static async open(directory: string, name = 'config.json'): Promise<ConfigReader> {
		const file = join(directory, name);
		return new ConfigReader(await readJsonObject(file), file);
	}

	has(name: FieldName): boolean {
		return this.#lookUp(name) !== undefined;
	}

	/** A size or count: an integer from 1 to 2^31 - 1. */
	int(name: FieldName, fallback?: number): number {
		return this.#require(name, kinds.int, fallback);
	}

	optionalInt(name: FieldName): number | undefined {
		return this.#find(name, kinds.int);
	}

	/** An id, or a size that may be zero: an integer from 0 to 2^31 - 1. */
	index(name: FieldName, fallback?: number): number {
		return this.#require(name, kinds.index, fallback);
	}

	optionalIndex(name: FieldName): number | undefined {
		return this.#find(name, kinds.index);
	}

	number(name: FieldName, fallback?: number): number {
		return this.#require(name, kinds.number, fallback);
	}

	optionalNumber(name: FieldName): number | undefined {
		return this.#find(name, kinds.number);
	}

	bool(name: FieldName, fallback?: boolean): boolean {
		return this.#require(name, kinds.bool, fallback);
	}

	optionalBool(name: FieldName): boolean | undefined {
		return this.#find(name, kinds.bool);
	}

	string(name: FieldName, fallback?: string): string {
		return this.#require(name, kinds.string, fallback);
	}

	optionalString(name: FieldName): string | undefined {
		return this.#find(name, kinds.string);
	}

	numbers(name: FieldName, fallback?: readonly number[]): readonly number[] {
		return this.#require(name, lists.numbers, fallback);
	}

	optionalNumbers(name: FieldName): readonly number[] | undefined {
		return this.#find(name, lists.numbers);
	}

	strings(name: FieldName, fallback?: readonly string[]): readonly string[] {
		return this.#require(name, lists.strings, fallback);
	}

	optionalStrings(name: FieldName): readonly string[] | undefined {
		return this.#find(name, lists.strings);
	}

	/** A token id or a list of them; empty if the field is missing. */
	tokenIds(name: FieldName): readonly number[] {
		const one = kinds.index.accepts(this.#lookUp(name)?.value);
		return one ? [this.index(name)] : (this.#find(name, lists.indices) ?? []);
	}

	/** A nested object, whose own fields are then read without its name. */
	object(name: FieldName): ConfigReader {
		return this.optionalObject(name) ?? this.#fail(name, kinds.object.expected);
	}

	optionalObject(name: FieldName): ConfigReader | undefined {
		const json = this.#find(name, kinds.object);
		const path = this.#lookUp(name)?.path;
		return json && new ConfigReader(json, this.file, `${this.#path}${path}.`);
	}

	/** The error for a field whose value is of the right type but wrong; `expected` completes "expected ...". */
	invalid(name: FieldName, expected: string): ExlError {
		const {path, value} = this.#lookUp(name) ?? {path: [name].flat().join(' or '), value: undefined};
		const message = `${this.file}: ${this.#path}${path} is ${describeList(value)}, expected ${expected}`;
		return new ExlError('EXL_MODEL_INVALID', message);
	}

	#require<T>(name: FieldName, kind: Kind<T>, fallback: T | undefined): T {
		return this.#find(name, kind) ?? fallback ?? this.#fail(name, kind.expected);
	}

	#find<T>(name: FieldName, {accepts, expected}: Kind<T>): T | undefined {
		const found = this.#lookUp(name);
		if (found === undefined) return undefined;
		return accepts(found.value) ? found.value : this.#fail(name, expected);
	}

	#fail(name: FieldName, expected: string): never {
		throw this.invalid(name, expected);
	}

	#lookUp(name: FieldName): {path: string; value: unknown} | undefined {
		for (const path of [name].flat()) {
			let value: unknown = this.#json;
			for (const part of path.split('.')) {
				value = isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined;
			}
			if (value !== undefined && value !== null) return {path, value};
		}
		return undefined;
	}
}
