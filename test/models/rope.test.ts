import {describe, expect, it} from 'vitest';
import {readRope} from '../../lib/models/blocks/rope.js';
import {readContextTokens} from '../../lib/models/blocks/rope-settings.js';
import {ConfigReader} from '../../lib/weights/index.js';

// Constants computed beforehand with the formulas of transformers' modeling_rope_utils, in double, rounded to fp32.

function read(config: object, headDim = 128) {
	return readRope(new ConfigReader(config as Record<string, unknown>, 'config.json'), headDim);
}

function expectFrequencies(config: object, expected: Readonly<Record<number, number>>) {
	const {frequencies} = read(config);
	expect(frequencies).toHaveLength(64);
	for (const [pair, frequency] of Object.entries(expected)) {
		expect(Math.abs(frequencies[Number(pair)]! / frequency - 1), `pair ${pair}`).toBeLessThan(2 ** -23);
	}
}

describe('rotary frequencies', () => {
	it('are powers of the base', () => {
		expect([...read({rope_theta: 10_000}, 8).frequencies]).toEqual([1, 0.1, 0.01, 0.001].map(Math.fround));
		expect([...read({}, 4).frequencies]).toEqual([1, 0.01].map(Math.fround));
		expect(read({}).scale).toBe(1);
	});

	it('are divided by the factor of linear scaling', () => {
		for (const rope_scaling of [
			{type: 'linear', factor: 8},
			{rope_type: 'linear', factor: 8},
		]) {
			const {frequencies, scale} = read({rope_scaling}, 4);
			expect([...frequencies]).toEqual([0.125, 0.00125].map(Math.fround));
			expect(scale).toBe(1);
		}
	});

	it('are those of Llama 3.1', () => {
		const rope_scaling = {
			rope_type: 'llama3',
			factor: 8,
			low_freq_factor: 1,
			high_freq_factor: 4,
			original_max_position_embeddings: 8192,
		};
		expect(read({rope_theta: 500_000, rope_scaling}).scale).toBe(1);
		expectFrequencies(
			{rope_theta: 500_000, rope_scaling},
			{
				0: 1,
				1: 0.8146172165870667,
				10: 0.12868736684322357,
				28: 0.0032114461064338684,
				29: 0.0021665708627551794,
				30: 0.0013718935661017895,
				32: 0.000524846138432622,
				34: 0.00017850780568551272,
				35: 9.556212171446532e-5,
				36: 7.784655463183299e-5,
				63: 3.068925877869333e-7,
			},
		);
	});

	it('are those of Qwen2.5 with YaRN', () => {
		const rope_scaling = {type: 'yarn', factor: 4, original_max_position_embeddings: 32_768};
		expect(read({rope_theta: 1e6, rope_scaling}).scale).toBeCloseTo(1.1386294361119891, 14);
		const expected = {
			0: 1,
			1: 0.8058421611785889,
			22: 0.00865964312106371,
			23: 0.006978305988013744,
			24: 0.005375321488827467,
			30: 0.0010643609566614032,
			32: 0.0006029412033967674,
			38: 9.262302046408877e-5,
			39: 6.490394298452884e-5,
			40: 4.4456985051510856e-5,
			63: 3.102344408034696e-7,
		};
		expectFrequencies({rope_theta: 1e6, rope_scaling}, expected);
		// Without an original length, that of the model is the one that counts.
		const {original_max_position_embeddings: length, ...rest} = rope_scaling;
		expectFrequencies({rope_theta: 1e6, max_position_embeddings: length, rope_scaling: rest}, expected);
	});

	it.each([
		[{factor: 1}, 1],
		[{factor: 40}, 1.3688879454113936],
		[{factor: 40, mscale: 1, mscale_all_dim: 0.8}, 1.0569662567531275],
		[{factor: 40, mscale: 0.8, mscale_all_dim: 0.8}, 1],
		[{factor: 4, attention_factor: 0.5}, 0.5],
	])('has the attention factor of YaRN: %j', (more, expected) => {
		const rope_scaling = {rope_type: 'yarn', original_max_position_embeddings: 4096, ...more};
		expect(read({rope_scaling}).scale).toBeCloseTo(expected, 14);
	});

	it.each([
		['rope_theta', {rope_theta: 1}, 'EXL_MODEL_INVALID', 'rope_theta is 1, expected a number above 1'],
		['factor', {rope_scaling: {type: 'linear', factor: 0.5}}, 'EXL_MODEL_INVALID', 'factor is 0.5, expected'],
		['factor', {rope_scaling: {type: 'linear'}}, 'EXL_MODEL_INVALID', 'rope_scaling.factor is missing, expected'],
		['kind', {rope_scaling: {type: 'longrope', factor: 2}}, 'EXL_MODEL_UNSUPPORTED', 'rope scaling longrope'],
		['part', {partial_rotary_factor: 1.5}, 'EXL_MODEL_INVALID', 'partial_rotary_factor is 1.5, expected'],
		[
			'bounds',
			{
				rope_scaling: {
					type: 'llama3',
					factor: 8,
					low_freq_factor: 4,
					high_freq_factor: 1,
					original_max_position_embeddings: 8192,
				},
			},
			'EXL_MODEL_INVALID',
			'high_freq_factor is 1, expected a number above low_freq_factor',
		],
	])('refuses a wrong %s', (_, config, code, message) => {
		expect(() => read(config)).toThrow(expect.objectContaining({code, message: expect.stringContaining(message)}));
	});

	it('may leave the bounds of YaRN and its factor to the lengths', () => {
		const yarn = {type: 'yarn', factor: 4, original_max_position_embeddings: 512, beta_fast: 2, beta_slow: 0.5};
		const cut = read({rope_scaling: {...yarn, truncate: false}}).frequencies;
		expect([...cut]).not.toEqual([...read({rope_scaling: yarn}).frequencies]);
		const {factor, ...rest} = yarn;
		expect(read({max_position_embeddings: factor * 512, rope_scaling: rest})).toEqual(read({rope_scaling: yarn}));
	});
});

describe('of two places that say something', () => {
	const at = (base: number, more: object = {}) => ({rope_type: 'default', rope_theta: base, ...more});
	const plain = read({rope_theta: 500});

	it('what is in rope_parameters wins over what is outside', () => {
		expect(read({rope_parameters: at(500)})).toEqual(plain);
		expect(read({rope_theta: 10_000, rope_parameters: at(500)})).toEqual(plain);
		const part = {partial_rotary_factor: 0.5};
		const outside = read({rope_theta: 500, ...part});
		expect(outside.frequencies).toHaveLength(32);
		expect(read({rope_parameters: at(500, part)})).toEqual(outside);
		expect(read({partial_rotary_factor: 0.25, rope_parameters: at(500, part)})).toEqual(outside);
	});

	it('the one that scales is taken, with the base of the other', () => {
		const linear = read({rope_theta: 500, rope_scaling: {type: 'linear', factor: 2}});
		const rope_scaling = {type: 'linear', factor: 2};
		expect(read({rope_scaling, rope_theta: 10_000, rope_parameters: at(500)})).toEqual(linear);
		expect(read({rope_scaling: {type: 'default'}, rope_parameters: at(500, rope_scaling)})).toEqual(plain);
		expect(read({rope_scaling: null, rope_parameters: {...rope_scaling, rope_theta: 500}})).toEqual(linear);
		const both = {rope_scaling, rope_parameters: at(500, {rope_type: 'linear', factor: 8})};
		expect(read(both)).toEqual(linear);
	});

	it('rope_type wins over type, and old names are known', () => {
		expect(read({rope_theta: 500, rope_scaling: {rope_type: 'default', type: 'linear', factor: 2}})).toEqual(plain);
		expect(read({rope_theta: 500, rope_scaling: {type: 'mrope', mrope_section: [16, 24, 24]}})).toEqual(plain);
		expect(() => read({rope_scaling: {type: 'su', factor: 2}})).toThrow('rope scaling longrope is not implemented');
	});

	it('kinds of layers may say the same, and not yet different things', () => {
		const kinds = (full: object, sliding: object) => ({
			rope_parameters: {full_attention: full, sliding_attention: sliding},
		});
		expect(read(kinds(at(500), at(500)))).toEqual(plain);
		expect(() => read(kinds(at(500), at(600)))).toThrow(expect.objectContaining({code: 'EXL_MODEL_UNSUPPORTED'}));
		expect(read({...kinds(at(500), at(600)), layer_types: ['full_attention']})).toEqual(plain);
	});
});

describe('the context', () => {
	const context = (config: object) =>
		readContextTokens(new ConfigReader({max_position_embeddings: 4096, ...config}, 'config.json'));
	const original_max_position_embeddings = 4096;

	it.each([
		['without scaling', {}, 4096],
		[
			'with YaRN that the configuration has no length for',
			{type: 'yarn', factor: 4, original_max_position_embeddings},
			16_384,
		],
		['with YaRN of no original length', {type: 'yarn', factor: 4}, 16_384],
		['with linear scaling', {type: 'linear', factor: 2.5}, 10_240],
		[
			'with llama3, whose factor says too much',
			{rope_type: 'llama3', factor: 32, original_max_position_embeddings},
			4096,
		],
	])('%s', (_, scaling, tokens) => {
		expect(context({rope_scaling: scaling})).toBe(tokens);
		expect(context({rope_parameters: {rope_type: 'default', ...scaling}})).toBe('type' in scaling ? 4096 : tokens);
	});

	it('is not lengthened twice', () => {
		const lengths = {original_max_position_embeddings, max_position_embeddings: 16_384};
		for (const rope_type of ['yarn', 'linear']) {
			const rope_parameters = {rope_type, factor: 4, original_max_position_embeddings};
			expect(context({rope_parameters, max_position_embeddings: 16_384})).toBe(16_384);
			expect(context({rope_parameters: {rope_type, factor: 4}, ...lengths})).toBe(16_384);
		}
	});

	it('has an end', () => {
		expect(context({rope_scaling: {type: 'yarn', factor: 1e300}})).toBe(2 ** 31 - 1);
	});
});
