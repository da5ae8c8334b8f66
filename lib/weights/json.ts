import {isUtf8} from 'node:buffer';
import {ExlError} from '../errors/index.js';
import {refuseForeignFile} from '../options/file-kind.js';
import {readExactly, withFile} from './file.js';

/** Far above any real file, and below what a string can hold. */
export const maxJsonBytes = 100_000_000;

export type JsonObject = {readonly [name: string]: unknown};

export function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as an error message shows it: short, whatever it is. */
export function describe(value: unknown): string {
	if (value === undefined) return 'missing';
	if (Array.isArray(value)) return `a list of ${value.length}`;
	if (isObject(value)) return 'an object';
	const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
	return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

/** As `describe`, but shows what is in a short list. */
export function describeList(value: unknown): string {
	return Array.isArray(value) && value.length <= 8 ? `[${value.map(describe).join(', ')}]` : describe(value);
}

/**
Parses UTF-8 JSON whose outermost value is an object.

@throws {ExlError} `EXL_FORMAT_INVALID`, naming `where`.
*/
export function parseJsonObject(bytes: Buffer, where: string): JsonObject {
	if (!isUtf8(bytes)) throw new ExlError('EXL_FORMAT_INVALID', `${where} is not UTF-8 text`);

	let value: unknown;
	try {
		value = JSON.parse(bytes.toString());
	} catch (cause) {
		throw new ExlError('EXL_FORMAT_INVALID', `${where} is not JSON: ${(cause as Error).message}`, {cause});
	}
	if (!isObject(value)) {
		throw new ExlError('EXL_FORMAT_INVALID', `${where} holds ${describe(value)}, expected an object`);
	}
	return value;
}

/**
Reads a JSON file.

@throws {ExlError} `EXL_MODEL_NOT_FOUND` if the file does not exist, `EXL_FORMAT_INVALID` if it is not a JSON object.
*/
export async function readJsonObject(file: string): Promise<JsonObject> {
	return withFile(file, async (handle, bytes) => {
		if (bytes > maxJsonBytes) {
			throw new ExlError('EXL_FORMAT_INVALID', `${file} has ${bytes} bytes, expected at most ${maxJsonBytes}`);
		}
		const content = await readExactly(handle, file, 0, bytes);
		refuseForeignFile(file, content);
		return parseJsonObject(content, file);
	});
}

/** The first name that some object in well-formed `json` has twice; `JSON.parse` keeps the last and says nothing. */
export function duplicateName(json: string): string | undefined {
	const open: Set<string>[] = [];
	for (let i = 0; i < json.length; i++) {
		const char = json[i];
		if (char === '{') open.push(new Set());
		else if (char === '}') open.pop();
		else if (char === '"') {
			const start = i;
			i = endOfString(json, i);
			if (!isFollowedByColon(json, i + 1)) continue;

			const name = JSON.parse(json.slice(start, i + 1)) as string;
			const names = open.at(-1)!;
			if (names.has(name)) return name;
			names.add(name);
		}
	}
	return undefined;
}

function endOfString(json: string, start: number): number {
	let i = start + 1;
	while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
	return i;
}

function isFollowedByColon(json: string, start: number): boolean {
	let i = start;
	while (' \t\r\n'.includes(json.charAt(i))) i++;
	return json[i] === ':';
}
