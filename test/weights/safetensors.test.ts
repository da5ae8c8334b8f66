import {mkdir, truncate, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, it} from 'vitest';
import {isExlError} from '../../lib/errors/index.js';
import {parseHeader, readHeader} from '../../lib/weights/safetensors.js';
import {WeightFiles} from '../../lib/weights/weight-files.js';
import {temporaryDirectory} from '../support/directory.js';
import {frame, tensor, writeSafetensors} from '../support/safetensors.js';

const a = {dtype: 'F16', shape: [2, 3], data_offsets: [0, 12]};
const b = {dtype: 'I32', shape: [2], data_offsets: [12, 20]};

function parse(header: unknown, dataBytes = 20) {
	const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
	return parseHeader(json, 'x.safetensors', 8 + json.length + dataBytes);
}

it('finds every tensor with its place in the file', async () => {
	const file = join(await temporaryDirectory(), 'x.safetensors');
	const tensors = new Map([
		['a', tensor('U8', [3], Uint8Array.of(1, 2, 3))],
		['misaligned', tensor('F32', [2], Float32Array.of(1, -2))],
		['scalar', tensor('I64', [], BigInt64Array.of(7n))],
		['empty', tensor('F16', [0, 5], new Uint16Array())],
	]);
	await writeSafetensors(file, tensors, {format: 'pt'});

	const header = await readHeader(file);
	expect([...header.tensors.keys()]).toEqual([...tensors.keys()]);
	expect(header.metadata).toEqual(new Map([['format', 'pt']]));

	const files = new WeightFiles(header.tensors);
	expect(files.totalBytes).toBe(19);
	for (const [name, {dtype, shape, data}] of tensors) {
		expect(files.entry(name)).toMatchObject({name, dtype, shape, file, length: data.length});
		expect(new Uint8Array(await files.read(files.entry(name)))).toEqual(data);
	}
});

it('keeps a type it does not know', () => {
	const entry = {dtype: 'F4', shape: [7], data_offsets: [0, 4]};
	expect(parse({a: entry}).tensors.get('a')).toMatchObject({dtype: 'F4', length: 4});
});

it('has no trouble with names of Object', () => {
	const {tensors} = parse('{"__proto__": {"dtype": "I8", "shape": [], "data_offsets": [0, 1]}}');
	expect(tensors.get('__proto__')?.length).toBe(1);
	expect(tensors.has('constructor')).toBe(false);
});

it.each([
	['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /not UTF-8/],
	['a byte order mark', Buffer.from('\ufeff{}'), /not JSON/],
	['not JSON', Buffer.from('{"a": '), /not JSON/],
	['not an object', Buffer.from('[1]'), /holds a list of 1, expected an object/],
])('refuses a header that is %s', (_, json, message) => {
	expect(() => parseHeader(json, 'x', 1000)).toThrow(
		expect.objectContaining({code: 'EXL_FORMAT_INVALID', message: expect.stringMatching(message)}),
	);
});

it.each<[string, unknown, RegExp]>([
	['entry', {a: 5}, /entry is 5, expected an object \(tensor "a"\)/],
	['dtype', {a: {...a, dtype: 1}}, /dtype is 1, expected a string/],
	['missing shape', {a: {...a, shape: undefined}}, /shape is missing/],
	['negative size', {a: {...a, shape: [-2, 3]}}, /shape is \[-2, 3\], expected/],
	['fractional size', {a: {...a, shape: [1.5, 4]}}, /shape is \[1.5, 4\]/],
	['size of text', {a: {...a, shape: ['2', 3]}}, /shape is \["2", 3\]/],
	['huge product', {a: {...a, shape: [2 ** 30, 2 ** 30]}}, /more than 2\^53/],
	['huge size', {a: {...a, shape: [1e300]}}, /shape is \[1e\+300\]/],
	['one offset', {a: {...a, data_offsets: [0]}}, /data_offsets are \[0\], expected two/],
	['descending', {a: {...a, data_offsets: [12, 0]}}, /\[12, 0\], expected an ascending range/],
	['beyond the end', {a: {...a, data_offsets: [12, 24]}}, /within 20 bytes/],
	['wrong length', {a: {...a, data_offsets: [0, 10]}}, /data has 10 bytes, expected 12 for F16 \[2, 3\]/],
	['overlap', {a, b: {...b, data_offsets: [10, 18]}}, /overlap those of "a" \(tensor "b"\)/],
	['metadata', {__metadata__: 3}, /__metadata__ that is 3/],
	['metadata value', {__metadata__: {x: 3}}, /"x" is 3, expected a string/],
])('refuses a bad %s', (_, header, message) => {
	expect(() => parse(header)).toThrow(
		expect.objectContaining({code: 'EXL_FORMAT_INVALID', message: expect.stringMatching(message)}),
	);
});

it('refuses a name that comes twice, at any depth and however it is written', () => {
	const entry = JSON.stringify(a);
	expect(() => parse(`{"a": ${entry}, "\\u0061" : ${entry}}`)).toThrow(/name "a" twice/);
	expect(() => parse(`{"a": {"dtype": "F16", ${entry.slice(1)}}`)).toThrow(/name "dtype" twice/);
	expect(() => parse(`{"a\\"": ${entry}, "b": ${JSON.stringify(b)}}`)).not.toThrow();
});

it('does not fall over deep nesting', () => {
	const depth = 200_000;
	expect(() => parse(`{"a": ${'['.repeat(depth)}${']'.repeat(depth)}}`)).toThrow(/entry is a list of 1/);
});

it('checks the length of the header against the file', async () => {
	const directory = await temporaryDirectory();
	const file = join(directory, 'x.safetensors');

	await writeFile(file, Buffer.alloc(7));
	await expect(readHeader(file)).rejects.toMatchObject({
		code: 'EXL_FORMAT_INVALID',
		message: expect.stringMatching(/has 7 bytes, expected at least 8/),
	});

	await writeFile(file, frame('{}').subarray(0, 9));
	await expect(readHeader(file)).rejects.toThrow(/gives its header 2 bytes, expected at most 1 in a file of 9/);

	const prefix = Buffer.alloc(8, 0xff);
	await writeFile(file, prefix);
	await truncate(file, 2 ** 31);
	await expect(readHeader(file)).rejects.toThrow(/18446744073709551615 bytes, expected at most 100000000/);
});

it('says what is not there', async () => {
	const directory = await temporaryDirectory();
	await expect(readHeader(join(directory, 'none'))).rejects.toMatchObject({
		code: 'EXL_MODEL_NOT_FOUND',
		message: expect.stringMatching(/none does not exist/),
	});
	await mkdir(join(directory, 'folder'));
	await expect(readHeader(join(directory, 'folder'))).rejects.toMatchObject({
		code: 'EXL_MODEL_NOT_FOUND',
		message: expect.stringMatching(/is not a file/),
	});
});

it('notices a file that has shrunk since its header was read', async () => {
	const file = join(await temporaryDirectory(), 'x.safetensors');
	await writeSafetensors(file, new Map([['a', tensor('U8', [100], new Uint8Array(100))]]));
	const files = new WeightFiles((await readHeader(file)).tensors);
	await truncate(file, 90);

	const error = await files.read(files.entry('a')).catch(error => error);
	expect(isExlError(error)).toBe(true);
	expect(error.message).toMatch(/ends at byte 90, expected 100 bytes from byte/);
});
