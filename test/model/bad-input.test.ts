import {readFile, rm, truncate, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {afterEach, describe, expect, it} from 'vitest';
import type {ErrorCode} from '../../lib/errors/index.js';
import {loadModel, type Model} from '../../lib/model/index.js';
import {temporaryDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';
import {encodeSafetensors, frame, type Tensor, tensor} from '../support/safetensors.js';
import {type TinyOptions, tinyModel, writeTinyModel} from '../support/tiny-model.js';

// Whole model directories that are wrong in one place. Each must be refused with the right code and a message that says
// what was found, what was expected and where, and everything must be given back.

keepDevicesOpen();
afterEach(expectNothingHeld);

const float = tinyModel({layers: 1});
const exl2 = tinyModel({format: 'exl2', layers: 1});
const gptq = tinyModel({format: 'gptq', layers: 1});

async function expectRefusal(load: Promise<Model>, code: ErrorCode, ...parts: (string | RegExp)[]): Promise<void> {
	const error = await load.then(
		model => model.dispose(),
		(reason: unknown) => reason,
	);
	expect(error).toMatchObject({name: 'ExlError', code});
	for (const part of parts) expect((error as Error).message).toMatch(part instanceof RegExp ? part : literally(part));
}

function literally(text: string): RegExp {
	return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
}

/** On every device, because each reads weights by itself. */
async function expectRefused(directory: string, code: ErrorCode, ...parts: (string | RegExp)[]): Promise<void> {
	for (const device of ['cpu', 'reference'] as const) {
		await expectRefusal(loadModel(directory, {device}), code, ...parts);
	}
}

describe('a directory', () => {
	it('that is not there', async () => {
		await expectRefused('/nowhere/at/all', 'EXL_MODEL_NOT_FOUND', '/nowhere/at/all');
		await expectRefused('', 'EXL_INVALID_ARGUMENT', 'a directory or org/name');
		await expectRefused(undefined as unknown as string, 'EXL_INVALID_ARGUMENT', 'a directory or org/name');
	});

	it.each(['config.json', 'tokenizer.json', 'model.safetensors'])('without %s', async name => {
		const directory = await writeTinyModel(float);
		await rm(join(directory, name));
		const wanted = name.endsWith('.safetensors') ? '*.safetensors' : name;
		await expectRefused(directory, 'EXL_MODEL_NOT_FOUND', directory, wanted);
	});

	it.each(['config.json', 'tokenizer.json'])('with an empty, cut or foreign %s', async name => {
		const directory = await writeTinyModel(float);
		const file = join(directory, name);
		const text = await readFile(file, 'utf8');
		for (const wrong of ['', text.slice(0, -2), '[1]', '"text"', '\0'.repeat(100)]) {
			await writeFile(file, wrong);
			await expectRefused(directory, 'EXL_FORMAT_INVALID', name);
		}
	});
});

describe('a weight file', () => {
	const whole = encodeSafetensors(float.tensors);
	const headerBytes = Number(whole.readBigUInt64LE());

	async function withWeights(bytes: Uint8Array): Promise<string> {
		const directory = await writeTinyModel(float);
		await writeFile(join(directory, 'model.safetensors'), bytes);
		return directory;
	}

	it('that was cut, wherever', async () => {
		const directory = await withWeights(whole);
		const lengths = [0, 1, 7, 8, 9, 8 + headerBytes - 1, 8 + headerBytes, 8 + headerBytes + 1];
		for (let i = 1; i < 25; i++) lengths.push(Math.floor((whole.length * i) / 25));
		const descending = [...lengths, whole.length - 1].sort((a, b) => b - a);
		for (const length of descending) {
			await truncate(join(directory, 'model.safetensors'), length);
			await expectRefusal(loadModel(directory, {device: 'cpu'}), 'EXL_FORMAT_INVALID', 'model.safetensors');
		}
	});

	it.each([2n ** 63n, 2n ** 64n - 1n, 100_000_001n, BigInt(whole.length - 7)])(
		'whose header is %s bytes long',
		async n => {
			const bytes = Buffer.from(whole);
			bytes.writeBigUInt64LE(n);
			await expectRefused(await withWeights(bytes), 'EXL_FORMAT_INVALID', `${n}`, `in a file of ${whole.length}`);
		},
	);

	it.each<[string, (range: [number, number]) => object, string | RegExp]>([
		['ends before it begins', ([from, to]) => ({data_offsets: [to, from]}), 'expected an ascending range'],
		['ends outside of the file', ([from]) => ({data_offsets: [from, 1e9]}), 'expected an ascending range within'],
		['begins before the data', ([, to]) => ({data_offsets: [-4, to]}), 'expected two integers >= 0'],
		['begins at a fraction', ([from, to]) => ({data_offsets: [from + 0.5, to]}), 'expected two integers >= 0'],
		['overlaps another', ([from, to]) => ({data_offsets: [from - 4, to - 4]}), 'overlap'],
		['is shorter than its shape', ([from, to]) => ({data_offsets: [from, to - 4]}), /data has 252 bytes, expected 256/],
		['has a negative size', () => ({shape: [-64]}), 'shape is [-64], expected a list of integers >= 0'],
		['is huge', () => ({shape: [2 ** 40, 2 ** 40]}), 'more than 2^53 elements'],
		['has no shape', () => ({shape: null}), 'shape is null, expected a list'],
		['has no type', () => ({dtype: 7}), 'dtype is 7, expected a string'],
	])('with a tensor that %s', async (_, change, message) => {
		const header = JSON.parse(whole.subarray(8, 8 + headerBytes).toString());
		const name = 'model.layers.0.input_layernorm.weight';
		Object.assign(header[name], change(header[name].data_offsets));
		const bytes = frame(JSON.stringify(header), [whole.subarray(8 + headerBytes)]);
		await expectRefused(await withWeights(bytes), 'EXL_FORMAT_INVALID', name, message, 'model.safetensors');
	});
});

type Change = [what: string, name: string, Tensor | undefined, ErrorCode, ...parts: (string | RegExp)[]];

function changes(model: typeof float, list: readonly Change[]) {
	it.each(list)('%s: %s', async (_, name, replacement, code, ...parts) => {
		const tensors = new Map(model.tensors);
		expect(tensors.has(name)).toBe(true);
		if (replacement) tensors.set(name, replacement);
		else tensors.delete(name);
		const directory = await writeTinyModel({...model, tensors});
		await expectRefused(directory, code, name.split('.').slice(0, -1).join('.'), ...parts);
	});
}

describe('a tensor', () => {
	const name = 'model.layers.0.self_attn.q_proj.weight';
	const norm = 'model.layers.0.input_layernorm.weight';
	const f32 = (...shape: number[]) => tensor('F32', shape, new Float32Array(shape.reduce((a, b) => a * b)));
	changes(float, [
		['missing', name, undefined, 'EXL_MODEL_INVALID', 'no weight for'],
		['missing', norm, undefined, 'EXL_MODEL_INVALID', 'no tensor'],
		['missing', 'lm_head.weight', undefined, 'EXL_MODEL_INVALID', 'tie_word_embeddings is not set'],
		['missing', 'model.embed_tokens.weight', undefined, 'EXL_MODEL_INVALID', 'no tensor'],
		['too short', norm, f32(63), 'EXL_SHAPE_MISMATCH', 'is [63], expected [64]'],
		['too wide', name, f32(64, 65), 'EXL_SHAPE_MISMATCH', 'is [64, 65], expected [64, 64]'],
		['not a matrix', name, f32(4096), 'EXL_SHAPE_MISMATCH', 'is [4096], expected [64, 64]'],
		['empty', norm, tensor('F32', [0], new Float32Array(0)), 'EXL_SHAPE_MISMATCH', 'is [0], expected [64]'],
		[
			'of integers',
			name,
			tensor('I32', [64, 64], new Int32Array(4096)),
			'EXL_FORMAT_UNSUPPORTED',
			'is I32, expected F32',
		],
		['of doubles', norm, tensor('F64', [64], new Float64Array(64)), 'EXL_FORMAT_UNSUPPORTED', 'is F64'],
		['of a type nobody knows', norm, tensor('X9', [64], new Uint8Array(5)), 'EXL_FORMAT_UNSUPPORTED', 'is X9'],
	]);
});

describe('an EXL2 matrix', () => {
	const key = 'model.layers.0.self_attn.q_proj';
	const i32 = (shape: number[], values?: Int32Array) =>
		tensor('I32', shape, values ?? new Int32Array(shape.reduce((a, b) => a * b)));
	const groups = (...pairs: number[]) => tensor('I16', [pairs.length], Int16Array.from(pairs));
	const [first] = exl2.tensors.get(`${key}.q_weight`)!.shape;
	const order = (change: (order: Int32Array) => void) => {
		const values = Int32Array.from({length: 64}, (_, i) => i);
		change(values);
		return i32([64], values);
	};
	const invalid = 'EXL_FORMAT_INVALID';
	const mismatch = 'EXL_SHAPE_MISMATCH';
	changes(exl2, [
		['no scales', `${key}.q_scale`, undefined, 'EXL_MODEL_INVALID', 'no tensor'],
		['scales of the wrong size', `${key}.q_scale`, i32([2, 7]), mismatch, 'is [2, 7], expected [2, 8]'],
		['too few groups', `${key}.q_scale`, i32([1, 8]), mismatch, 'q_scale_max is [2], expected [1]'],
		[
			'maxima of the wrong size',
			`${key}.q_scale_max`,
			tensor('F16', [3], new Uint16Array(3)),
			mismatch,
			'[3], expected [2]',
		],
		[
			'maxima of the wrong type',
			`${key}.q_scale_max`,
			tensor('F32', [2], new Float32Array(2)),
			invalid,
			'is F32, expected F16',
		],
		[
			'a maximum that is no number',
			`${key}.q_scale_max`,
			tensor('F16', [2], Uint16Array.of(0, 0x7e00)),
			invalid,
			'NaN',
		],
		['a maximum without end', `${key}.q_scale_max`, tensor('F16', [2], Uint16Array.of(0x7c00, 0)), invalid, 'Infinity'],
		['groups that go back', `${key}.q_groups`, groups(8, 8, 2, 0), invalid, 'group 0 at row 8 of q_weight, expected 0'],
		['groups of no rows', `${key}.q_groups`, groups(8, 0, 2, 0), invalid, 'rows 0 to 0', 'expected an ascending range'],
		['groups past the end', `${key}.q_groups`, groups(8, 0, 2, first! + 1), invalid, `${first! + 1} to ${first}`],
		['growing widths', `${key}.q_groups`, groups(2, 0, 8, 2), invalid, '8 bits after one of 2'],
		['7 bits', `${key}.q_groups`, groups(7, 0, 2, 8), invalid, '7 bits, expected one of 2,3,4,5,6,8'],
		['0 bits', `${key}.q_groups`, groups(0, 0, 0, 8), invalid, '0 bits'],
		['half rows', `${key}.q_groups`, groups(5, 0, 2, 8), invalid, 'whole rows of 5 bits'],
		['too many rows', `${key}.q_groups`, groups(4, 0, 2, 8), mismatch, /holds \d+ input features, expected 64/],
		['a short order', `${key}.q_invperm`, i32([63]), mismatch, 'is [63], expected [64]'],
		['a row twice', `${key}.q_invperm`, order(o => o.fill(3, 0, 2)), invalid, 'feature 1 into row 3'],
		['a negative row', `${key}.q_invperm`, order(o => o.fill(-1, 5, 6)), invalid, 'feature 5 into row -1'],
		[
			'a row too far',
			`${key}.q_invperm`,
			order(o => o.fill(64, 5, 6)),
			invalid,
			'feature 5 into row 64, expected each of 0..63',
		],
		['too few codes', `${key}.q_weight`, i32([first! - 1, 64]), mismatch, 'input features, expected 64'],
		['too few columns', `${key}.q_weight`, i32([first!, 56]), mismatch, `is [${first}, 56], expected 64 columns`],
		['too many columns', `${key}.q_weight`, i32([first!, 96]), mismatch, `is [${first}, 96], expected 64 columns`],
	]);
});

describe('a GPTQ matrix', () => {
	const key = 'model.layers.0.mlp.down_proj';
	const i32 = (shape: number[], fill = 0) =>
		tensor('I32', shape, new Int32Array(shape.reduce((a, b) => a * b)).fill(fill));
	const mismatch = 'EXL_SHAPE_MISMATCH';
	changes(gptq, [
		['no zero points', `${key}.qzeros`, undefined, 'EXL_MODEL_INVALID', 'no tensor'],
		['zero points of the wrong size', `${key}.qzeros`, i32([3, 7]), mismatch, 'is [3, 7], expected [3, 8]'],
		['scales of the wrong size', `${key}.scales`, tensor('F16', [3, 63], new Uint16Array(189)), mismatch, 'is [3, 63]'],
		['scales of another type', `${key}.scales`, i32([3, 64]), 'EXL_FORMAT_UNSUPPORTED', 'is I32'],
		['8-bit codes', `${key}.qweight`, i32([24, 64]), 'EXL_FORMAT_UNSUPPORTED', 'codes of 8 bits, expected 4'],
		['too many codes', `${key}.qweight`, i32([13, 64]), mismatch, 'is [13, 64], expected [12, 64]'],
		['a group too far', `${key}.g_idx`, i32([96], 3), 'EXL_FORMAT_INVALID', 'row 0 into group 3, expected 0..2'],
		['a negative group', `${key}.g_idx`, i32([96], -1), 'EXL_FORMAT_INVALID', 'row 0 into group -1'],
		['a short index', `${key}.g_idx`, i32([95]), mismatch, 'is [95], expected [96]'],
	]);
});

describe('config.json', () => {
	async function withConfig(change: Record<string, unknown>, options?: TinyOptions): Promise<string> {
		const model = options ? tinyModel({layers: 1, ...options}) : float;
		return writeTinyModel({...model, config: {...model.config, ...change}});
	}

	const sizes = ['hidden_size', 'intermediate_size', 'num_attention_heads', 'num_hidden_layers', 'vocab_size'];
	it.each([...sizes, 'max_position_embeddings', 'rms_norm_eps', 'architectures'])('without %s', async field => {
		await expectRefused(
			await withConfig({[field]: undefined}),
			'EXL_MODEL_INVALID',
			`${field} is missing, expected`,
			'config.json',
		);
	});

	it.each([...sizes, 'max_position_embeddings', 'num_key_value_heads', 'head_dim'])('with a wrong %s', async field => {
		for (const wrong of ['64', 0, -1, 1.5, 2 ** 31, 1e300, true, [64], {}]) {
			await expectRefused(await withConfig({[field]: wrong}), 'EXL_MODEL_INVALID', field, 'expected an integer from 1');
		}
	});

	it.each<[string, unknown, ErrorCode, string]>([
		['architectures', ['GPT9'], 'EXL_MODEL_UNSUPPORTED', 'GPT9 is not implemented; these are: LlamaForCausalLM'],
		['architectures', [], 'EXL_MODEL_INVALID', 'architectures is [], expected a list of one name'],
		['architectures', ['A', 'B'], 'EXL_MODEL_INVALID', 'expected a list of one name'],
		['architectures', 'LlamaForCausalLM', 'EXL_MODEL_INVALID', 'expected a list'],
		['architectures', [7], 'EXL_MODEL_INVALID', 'expected a list'],
		['rms_norm_eps', 0, 'EXL_MODEL_INVALID', 'rms_norm_eps is 0, expected a number above 0'],
		['rms_norm_eps', '1e-5', 'EXL_MODEL_INVALID', 'expected a finite number'],
		['num_key_value_heads', 3, 'EXL_MODEL_INVALID', 'num_key_value_heads is 3, expected a divisor of 4'],
		['num_attention_heads', 5, 'EXL_MODEL_INVALID', 'expected an integer from 1'],
		['head_dim', 257, 'EXL_MODEL_INVALID', 'head_dim is 257, expected an integer from 1 to 256'],
		['hidden_act', 'gelu', 'EXL_MODEL_UNSUPPORTED', 'the activation gelu is not implemented'],
		['tie_word_embeddings', 'yes', 'EXL_MODEL_INVALID', 'tie_word_embeddings is "yes", expected true or false'],
		['attention_bias', 1, 'EXL_MODEL_INVALID', 'attention_bias is 1, expected true or false'],
		['rope_theta', '1e4', 'EXL_MODEL_INVALID', 'rope_theta is "1e4", expected a finite number'],
		['rope_scaling', 4, 'EXL_MODEL_INVALID', 'rope_scaling is 4, expected an object'],
		['rope_scaling', {type: 'dynamic', factor: 2}, 'EXL_MODEL_UNSUPPORTED', 'rope scaling dynamic is not implemented'],
		['eos_token_id', 'end', 'EXL_MODEL_INVALID', 'eos_token_id is "end", expected a list'],
		[
			'quantization_config',
			{quant_method: 'awq'},
			'EXL_FORMAT_UNSUPPORTED',
			'quant_method is "awq", expected exl2 or gptq',
		],
		['hidden_size', 128, 'EXL_SHAPE_MISMATCH', 'is [96, 64], expected [96, 128]'],
		['intermediate_size', 100, 'EXL_SHAPE_MISMATCH', 'expected [100, 64]'],
		['vocab_size', 95, 'EXL_SHAPE_MISMATCH', 'is [96, 64], expected [95, 64]'],
		['num_hidden_layers', 2, 'EXL_MODEL_INVALID', 'layers up to 0, but config.json says num_hidden_layers 2'],
		['attention_bias', true, 'EXL_MODEL_INVALID', 'q_proj.bias, which its architecture requires'],
	])('whose %s is %j', async (field, value, code, message) => {
		await expectRefused(await withConfig({[field]: value}), code, message);
	});

	it('of Qwen2 without biases, of Qwen3 without norms', async () => {
		const qwen2 = tinyModel({layers: 1, architecture: 'Qwen2ForCausalLM'});
		qwen2.tensors.delete('model.layers.0.self_attn.k_proj.bias');
		await expectRefused(
			await writeTinyModel(qwen2),
			'EXL_MODEL_INVALID',
			'k_proj.bias, which its architecture requires',
		);
		const qwen3 = await withConfig({architectures: ['Qwen3ForCausalLM']});
		await expectRefused(qwen3, 'EXL_MODEL_INVALID', 'no tensor model.layers.0.self_attn.q_norm.weight');
	});

	it('of StableLM without a bias of a norm, or in the manner of its 12B', async () => {
		const architecture = 'StableLmForCausalLM';
		const model = tinyModel({layers: 1, architecture});
		model.tensors.delete('model.norm.bias');
		await expectRefused(await writeTinyModel(model), 'EXL_MODEL_INVALID', 'no tensor model.norm.bias');
		for (const field of ['use_parallel_residual', 'qk_layernorm']) {
			const directory = await writeTinyModel(tinyModel({layers: 1, architecture, config: {[field]: true}}));
			await expectRefused(directory, 'EXL_MODEL_UNSUPPORTED', `${field} is not implemented`);
		}
	});

	it.each([
		[{use_sliding_window: 'no'}, 'use_sliding_window is "no", expected true or false'],
		[{use_sliding_window: true, sliding_window: -1}, 'sliding_window is -1, expected an integer from 0'],
		[{use_sliding_window: true, sliding_window: 4, layer_types: [1]}, 'expected a list, each a string'],
	])('of Qwen2 with %j', async (change, message) => {
		await expectRefused(await withConfig(change, {architecture: 'Qwen2ForCausalLM'}), 'EXL_MODEL_INVALID', message);
	});
});

describe('options of loadModel()', () => {
	it.each<[unknown, ErrorCode, string]>([
		[{threads: 0}, 'EXL_INVALID_ARGUMENT', 'threads must be a whole number from 1 to 256; got 0'],
		[{threads: 257}, 'EXL_INVALID_ARGUMENT', 'got 257'],
		[{device: 'gpu'}, 'EXL_INVALID_ARGUMENT', "device must be 'auto', 'cpu'"],
		[{device: 'cuda:0'}, 'EXL_DEVICE_UNAVAILABLE', 'cuda:0 cannot be used'],
		[{cache: {tokens: 0}}, 'EXL_INVALID_ARGUMENT', 'cache.tokens must be a whole number from 1'],
		[{cache: {tokens: 2 ** 25}}, 'EXL_INVALID_ARGUMENT', 'cache.tokens must be'],
		[{cache: 100}, 'EXL_INVALID_ARGUMENT', 'cache must be an object; got 100'],
		[{onProgress: 1}, 'EXL_INVALID_ARGUMENT', 'onProgress must be a function'],
		[{signal: 1}, 'EXL_INVALID_ARGUMENT', 'signal must be an AbortSignal'],
		[{thread: 2}, 'EXL_INVALID_ARGUMENT', 'did you mean "threads"?'],
		[null, 'EXL_INVALID_ARGUMENT', 'must be an object'],
		['cpu', 'EXL_INVALID_ARGUMENT', 'must be an object'],
	])('%j', async (options, code, message) => {
		await expectRefusal(loadModel(await temporaryDirectory(), options as object), code, message);
	});
});
