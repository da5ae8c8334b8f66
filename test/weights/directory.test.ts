import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, it} from 'vitest';
import {openWeights} from '../../lib/weights/directory.js';
import {temporaryDirectory} from '../support/directory.js';
import {tensor, writeSafetensors} from '../support/safetensors.js';

const index = 'model.safetensors.index.json';

async function write(
	directory: string,
	name: string,
	tensors: Record<string, number>,
	metadata?: Record<string, string>,
) {
	const named = Object.entries(tensors).map(([key, value]) => [key, tensor('U8', [1], Uint8Array.of(value))] as const);
	await writeSafetensors(join(directory, name), new Map(named), metadata);
}

function writeIndex(directory: string, map: unknown) {
	return writeFile(join(directory, index), JSON.stringify({metadata: {}, weight_map: map}));
}

it('joins all files, and the later one wins', async () => {
	const directory = await temporaryDirectory();
	await write(directory, 'output-00002-of-00002.safetensors', {b: 2, shared: 2});
	await write(directory, 'output-00001-of-00002.safetensors', {a: 1, shared: 1});
	await writeFile(join(directory, '._output.safetensors'), 'left by a file manager');

	const files = await openWeights(directory);
	expect(files.names().sort()).toEqual(['a', 'b', 'shared']);
	expect([...(await files.read(files.entry('shared')))]).toEqual([2]);
	expect(files.totalBytes).toBe(3);
});

it('takes exactly what an index lists', async () => {
	const directory = await temporaryDirectory();
	await write(directory, 'model-1.safetensors', {a: 1, unlisted: 1});
	await write(directory, 'model-2.safetensors', {b: 2});
	await write(directory, 'other.safetensors', {a: 9});
	await writeIndex(directory, {a: 'model-1.safetensors', b: 'model-2.safetensors'});

	const files = await openWeights(directory);
	expect(files.names()).toEqual(['a', 'b']);
	expect([...(await files.read(files.entry('a')))]).toEqual([1]);
});

it('ignores an index of files that are all elsewhere', async () => {
	const directory = await temporaryDirectory();
	await write(directory, 'output.safetensors', {a: 1});
	await writeIndex(directory, {a: 'model-00001-of-00001.safetensors'});
	expect((await openWeights(directory)).names()).toEqual(['a']);
});

it('gives tied tensors both names', async () => {
	const directory = await temporaryDirectory();
	await write(directory, 'model.safetensors', {head: 1, real: 2}, {embed: 'head', real: 'head', format: 'pt'});

	const files = await openWeights(directory);
	expect(files.entry('embed')).toBe(files.entry('head'));
	expect(files.entry('real').name).toBe('real');
	expect(files.has('format')).toBe(false);
	expect(files.totalBytes).toBe(2);
	expect(() => files.entry('tail')).toThrow(expect.objectContaining({code: 'EXL_MODEL_INVALID', op: 'tail'}));
});

it.each<[string, unknown, string, RegExp]>([
	[
		'a shard that is missing',
		{a: 'model-1.safetensors', b: 'model-2.safetensors'},
		'EXL_MODEL_NOT_FOUND',
		/model-2.safetensors does not exist/,
	],
	[
		'a tensor that is absent',
		{a: 'model-1.safetensors', b: 'model-1.safetensors'},
		'EXL_FORMAT_INVALID',
		/model-1.safetensors has no tensor "b"/,
	],
	['a path', {a: '../model-1.safetensors'}, 'EXL_FORMAT_INVALID', /puts "a" into "\.\.\/model-1.safetensors"/],
	['a number', {a: 1}, 'EXL_FORMAT_INVALID', /puts "a" into 1/],
	['nothing', {}, 'EXL_FORMAT_INVALID', /weight_map is an object, expected tensor names/],
	['no map', undefined, 'EXL_FORMAT_INVALID', /weight_map is missing/],
])('refuses an index with %s', async (_, map, code, message) => {
	const directory = await temporaryDirectory();
	await write(directory, 'model-1.safetensors', {a: 1});
	await writeIndex(directory, map);
	await expect(openWeights(directory)).rejects.toMatchObject({code, message: expect.stringMatching(message)});
});

it('says what is missing', async () => {
	const directory = await temporaryDirectory();
	await expect(openWeights(join(directory, 'none'))).rejects.toMatchObject({
		code: 'EXL_MODEL_NOT_FOUND',
		message: expect.stringMatching(/none does not exist/),
	});
	await expect(openWeights(directory)).rejects.toMatchObject({
		code: 'EXL_MODEL_NOT_FOUND',
		message: expect.stringMatching(/holds no \*\.safetensors/),
	});
	await writeIndex(directory, {a: 'model-1.safetensors'});
	await expect(openWeights(directory)).rejects.toMatchObject({
		code: 'EXL_MODEL_NOT_FOUND',
		message: expect.stringMatching(/model-1.safetensors does not exist/),
	});
});
