import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, it} from 'vitest';
import {ConfigReader} from '../../lib/weights/config.js';
import type {JsonObject} from '../../lib/weights/json.js';
import {readGptqOptions, readModelConfig} from '../../lib/weights/model-config.js';
import {temporaryDirectory} from '../support/directory.js';

const reader = (json: JsonObject) => new ConfigReader(json, 'config.json');

it('reads fields of every type', () => {
	const config = reader({
		size: 64,
		zero: 0,
		eps: 1e-5,
		tied: false,
		act: 'silu',
		factors: [1, 1.5],
		names: ['a'],
		none: null,
		rope_scaling: {factor: 8},
	});
	expect(config.int('size')).toBe(64);
	expect(config.index('zero')).toBe(0);
	expect(config.number('eps')).toBe(1e-5);
	expect(config.bool('tied', true)).toBe(false);
	expect(config.string('act')).toBe('silu');
	expect(config.numbers('factors')).toEqual([1, 1.5]);
	expect(config.strings('names')).toEqual(['a']);
	expect(config.int(['n_embd', 'size'])).toBe(64);
	expect(config.number('rope_scaling.factor')).toBe(8);
	expect(config.object('rope_scaling').number('factor')).toBe(8);
	expect(config.has('none')).toBe(false);
	expect(config.int('none', 3)).toBe(3);
	expect(config.optionalInt('none')).toBeUndefined();
	expect(config.optionalObject('size.deeper')).toBeUndefined();
	expect(config.optionalInt('toString')).toBeUndefined();
});

it.each<[string, (config: ConfigReader) => unknown, RegExp]>([
	['missing', config => config.int('none'), /^config.json: none is missing, expected an integer from 1 to 2147483647$/],
	['missing under each name', config => config.int(['none', 'nothing']), /none or nothing is missing/],
	['zero', config => config.int('zero'), /zero is 0, expected an integer from 1/],
	['negative', config => config.index('minus'), /minus is -1, expected an integer from 0/],
	['a fraction', config => config.int('half', 1), /half is 0.5/],
	['too large', config => config.optionalInt('large'), /large is 2147483648/],
	['infinite', config => config.number('infinite'), /infinite is Infinity, expected a finite number/],
	['text', config => config.bool('text'), /text is "yes", expected true or false/],
	['a number', config => config.string('zero'), /zero is 0, expected a string/],
	['a list of the wrong kind', config => config.numbers('list'), /list is \[1, "2"\], expected a list, each a finite/],
	['no object', config => config.object('list'), /list is \[1, "2"\], expected an object/],
	['wrong inside', config => config.object('nested').int('size'), /config.json: nested.size is "x", expected/],
])('refuses a field that is %s', (_, read, message) => {
	const config = reader({
		zero: 0,
		minus: -1,
		half: 0.5,
		large: 2 ** 31,
		infinite: Number.POSITIVE_INFINITY,
		text: 'yes',
		list: [1, '2'],
		nested: {size: 'x'},
	});
	expect(() => read(config)).toThrow(
		expect.objectContaining({code: 'EXL_MODEL_INVALID', message: expect.stringMatching(message)}),
	);
});

it('joins the ends of text of both files', async () => {
	const directory = await temporaryDirectory();
	const write = (name: string, value: unknown) => writeFile(join(directory, name), JSON.stringify(value));

	await expect(readModelConfig(directory)).rejects.toMatchObject({code: 'EXL_MODEL_NOT_FOUND'});
	await write('config.json', {});
	expect(await readModelConfig(directory)).toMatchObject({eosTokenIds: [], generation: undefined, gptq: {}});

	await write('config.json', {eos_token_id: 0});
	expect((await readModelConfig(directory)).eosTokenIds).toEqual([0]);

	await write('generation_config.json', {eos_token_id: [7, 5, 7]});
	await write('config.json', {eos_token_id: [5, 2]});
	expect((await readModelConfig(directory)).eosTokenIds).toEqual([7, 5, 2]);

	await write('generation_config.json', {eos_token_id: '</s>'});
	await expect(readModelConfig(directory)).rejects.toMatchObject({
		code: 'EXL_MODEL_INVALID',
		message: expect.stringMatching(/generation_config.json: eos_token_id is "<\/s>", expected/),
	});

	await writeFile(join(directory, 'config.json'), '{"a": NaN}');
	await expect(readModelConfig(directory)).rejects.toMatchObject({
		code: 'EXL_FORMAT_INVALID',
		message: expect.stringMatching(/config.json is not JSON/),
	});
});

it('reads what GPTQ needs from quantization_config', () => {
	const options = (json: JsonObject) => readGptqOptions(reader({quantization_config: json}));
	expect(readGptqOptions(reader({}))).toEqual({});
	expect(options({quant_method: 'exl2', bits: 4.5})).toEqual({});
	expect(options({quant_method: 'gptq', bits: 4, group_size: 128})).toEqual({bits: 4, groupSize: 128, version: 1});
	expect(options({checkpoint_format: 'gptq_v2', group_size: -1})).toEqual({groupSize: -1, version: 2});
	expect(() => options({quant_method: 'awq'})).toThrow(
		expect.objectContaining({
			code: 'EXL_FORMAT_UNSUPPORTED',
			message: 'config.json: quantization_config.quant_method is "awq", expected exl2 or gptq',
		}),
	);
	expect(() => options({checkpoint_format: 'marlin'})).toThrow(
		expect.objectContaining({code: 'EXL_FORMAT_UNSUPPORTED'}),
	);
	expect(() => options({group_size: 0})).toThrow(/quantization_config.group_size is 0/);
});
