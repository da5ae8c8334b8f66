import {describe, expect, it} from 'vitest';
import {liveBuffers} from '../../lib/memory/index.js';
import {loadModel} from '../../lib/model/index.js';
import {addon} from '../../lib/native/index.js';
import {relativeError} from '../support/error.js';
import {seededRandom} from '../support/random.js';
import {type TinyModel, type TinyOptions, tinyModel, writeTinyModel} from '../support/tiny-model.js';
import {lockstep} from './lockstep.js';
import {naiveLogits} from './naive.js';

const rope = (rope_type: string, more: object) => ({rope_scaling: {rope_type, factor: 4, ...more}});
const llama3 = rope('llama3', {low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 128});
const yarn = rope('yarn', {original_max_position_embeddings: 128});

/** Of every size, shape and format at least one. */
const models: Record<string, TinyOptions> = {
	'Llama F32, grouped queries': {},
	'Llama F16, tied, as many key heads': {format: 'F16', tied: true, keyHeads: 4},
	'Llama BF16, one key head, llama3': {format: 'BF16', keyHeads: 1, config: llama3},
	'Llama F32, linear rope, all biases': {config: {...rope('linear', {}), attention_bias: true, mlp_bias: true}},
	'Llama F16, yarn, heads of 8': {format: 'F16', headDim: 8, config: yarn},
	'Llama F32, heads of 24, 172 wide': {headDim: 24, intermediate: 172, config: {rope_theta: 500_000}},
	'Llama BF16, heads of 40, partial rope': {format: 'BF16', headDim: 40, config: {partial_rotary_factor: 0.5}},
	'Llama F16, heads of 80': {format: 'F16', headDim: 80, heads: 2, keyHeads: 1},
	'Llama F32, heads of 256': {headDim: 256, heads: 2, keyHeads: 1, layers: 1},
	'Llama EXL2, padded head': {format: 'exl2', hidden: 192, heads: 8, keyHeads: 2, intermediate: 224, vocabulary: 90},
	'Llama EXL2, biases, tied': {
		format: 'exl2',
		hidden: 128,
		tied: true,
		config: {attention_bias: true, mlp_bias: true, ...yarn},
	},
	'Llama GPTQ, act-order': {format: 'gptq', hidden: 96, intermediate: 136, vocabulary: 104},
	'Mistral F32, window 50': {architecture: 'MistralForCausalLM', config: {sliding_window: 50}},
	'Mistral EXL2, window 65': {architecture: 'MistralForCausalLM', format: 'exl2', config: {sliding_window: 65}},
	'Qwen2 F32': {architecture: 'Qwen2ForCausalLM', tied: true},
	'Qwen2 GPTQ, window from layer 1': {
		architecture: 'Qwen2ForCausalLM',
		format: 'gptq',
		config: {use_sliding_window: true, sliding_window: 70, max_window_layers: 1},
	},
	'StableLM F32, biases': {architecture: 'StableLmForCausalLM', config: {use_qkv_bias: true}},
	'StableLM GPTQ, half turned': {
		architecture: 'StableLmForCausalLM',
		format: 'gptq',
		config: {partial_rotary_factor: 0.5},
	},
	'Qwen3 BF16': {architecture: 'Qwen3ForCausalLM', format: 'BF16', headDim: 24},
	'Qwen3 EXL2, norms per head, windows by type': {
		architecture: 'Qwen3ForCausalLM',
		format: 'exl2',
		headNorms: 'heads dim',
		config: {
			use_sliding_window: true,
			sliding_window: 33,
			layer_types: ['sliding_attention', 'full_attention'],
		},
	},
};

/** 300 tokens, past the first page of 256. */
function tokens(model: TinyModel, length: number): number[] {
	const random = seededRandom(length);
	return Array.from({length}, () => random.int(model.config['vocab_size'] as number));
}

const everyOp = addon()
	.opTable()
	.map(({name}) => name)
	.sort();

describe.each(Object.entries(models))('%s', (_, options) => {
	const model = tinyModel(options);

	it('is on the reference what its definition says', async () => {
		const ids = tokens(model, 120);
		const expected = naiveLogits(model, ids);
		await using loaded = await loadModel(await writeTinyModel(model), {device: 'reference', cache: {tokens: 256}});
		for (const length of [1, 40, ids.length]) {
			const logits = await loaded.logits(ids.slice(0, length));
			expect(relativeError(logits, expected[length - 1]!), `after ${length} tokens`).toBeLessThan(1e-9);
		}
	});

	it('is on the processor, op by op, what it is on the reference', async () => {
		const ids = tokens(model, 300);
		const {calls} = await lockstep(model, {ids, steps: [100, 153, 1, 1, 1, 1, 40, 1, 1, 1]});
		const otherNorm = options.architecture === 'StableLmForCausalLM' ? 'rms_norm' : 'layer_norm';
		expect([...calls.keys(), 'sample', otherNorm].sort()).toEqual(everyOp);
		expect(liveBuffers()).toEqual([]);
	});
});

it('draws the same tokens on both', async () => {
	const model = tinyModel({vocabulary: 300});
	const {calls} = await lockstep(model, {
		ids: tokens(model, 40),
		steps: [31, 1, 1, 1, 1, 1, 1, 1, 1, 1],
		purpose: 'sample',
	});
	expect(calls.get('sample')).toBe(10);
});

it('names the first op that differs', async () => {
	const model = tinyModel();
	const path = 'model.layers.1.mlp.up_proj';
	const {inFeatures, outFeatures, values} = model.matrices.get(path)!;
	// A weight of zeros would have no sum to lose anything in, so next to no error is tolerated there.
	const matrices = new Map(model.matrices).set(path, {inFeatures, outFeatures, values: values.map(() => 0)});
	const run = lockstep({...model, matrices}, {ids: tokens(model, 20), steps: [20]});
	await expect(run).rejects.toThrow(/^op \d+, linear model\.layers\.1\.mlp\.up_proj .*: element \d+: cpu /);
});
