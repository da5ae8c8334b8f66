import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import * as v from 'valibot';
import {ExlError, isExlError} from '../errors/index.js';
import {unreadable} from './file-error.js';
import {refuseForeignFile} from './file-kind.js';

/**
Reads a text file of a model directory; undefined if there is none.

@throws {ExlError} As `unreadable()` if the file is there but cannot be read; as `refuseForeignFile()`.
*/
export async function readModelText(directory: string, name: string): Promise<string | undefined> {
	const file = join(directory, name);
	try {
		const text = await readFile(file, 'utf8');
		refuseForeignFile(file, text);
		return text;
	} catch (cause) {
		if (isExlError(cause)) throw cause;
		if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
		throw unreadable(file, cause);
	}
}

/**
Reads a JSON file of a model directory; undefined if there is none.

@throws {ExlError} `EXL_FORMAT_INVALID` if it is not JSON or does not fit `schema`, `EXL_MODEL_NOT_FOUND` if it cannot be read.
*/
export async function readModelJson<const Schema extends v.GenericSchema>(
	directory: string,
	name: string,
	schema: Schema,
): Promise<v.InferOutput<Schema> | undefined> {
	const text = await readModelText(directory, name);
	return text === undefined ? undefined : parseModelJson(text, join(directory, name), schema);
}

function parseModelJson<const Schema extends v.GenericSchema>(
	text: string,
	file: string,
	schema: Schema,
): v.InferOutput<Schema> {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw new ExlError('EXL_FORMAT_INVALID', `${file} is not JSON: ${(cause as Error).message}`, {cause});
	}

	const result = v.safeParse(schema, value, {abortEarly: true});
	if (result.success) return result.output;
	const [issue] = result.issues;
	const where = v.getDotPath(issue) ?? 'its content';
	const expected = issue.type === 'custom' ? issue.message : issue.expected;
	throw new ExlError('EXL_FORMAT_INVALID', `${file}: ${where} is ${issue.received}, expected ${expected}`);
}
