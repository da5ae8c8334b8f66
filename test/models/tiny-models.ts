import {seededRandom} from '../support/random.js';
import type {TinyModel, TinyOptions} from '../support/tiny-model.js';

const rope = (rope_type: string, more: object) => ({rope_scaling: {rope_type, factor: 4, ...more}});
const llama3 = rope('llama3', {low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 128});
const yarn = rope('yarn', {original_max_position_embeddings: 128});

/** Of every size, shape and format at least one. */
export const models: Record<string, TinyOptions> = {
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

/** Random ones of its vocabulary. 300 are more than the first page of 256. */
export function tokens(model: TinyModel, length: number): number[] {
	const random = seededRandom(length);
	return Array.from({length}, () => random.int(model.config['vocab_size'] as number));
}
