import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {openWeights} from '../../lib/weights/directory.js';
import {embeddingSource, vectorSource} from '../../lib/weights/float.js';
import {type LinearSource, linearFormat, linearSource} from '../../lib/weights/linear.js';
import {readModelConfig} from '../../lib/weights/model-config.js';
import {dequantize} from '../support/dequantize.js';
import {modelsDirectory} from '../support/directory.js';

async function readModel(name: string) {
	const directory = join(modelsDirectory, name);
	const {config, eosTokenIds, gptq} = await readModelConfig(directory);
	const files = await openWeights(directory);

	const hidden = config.int('hidden_size');
	const middle = config.int('intermediate_size');
	const keys = (hidden / config.int('num_attention_heads')) * config.int('num_key_value_heads');
	const vocabulary = config.int('vocab_size');
	const shapes = {
		'self_attn.q_proj': [hidden, hidden],
		'self_attn.k_proj': [hidden, keys],
		'self_attn.v_proj': [hidden, keys],
		'self_attn.o_proj': [hidden, hidden],
		'mlp.gate_proj': [hidden, middle],
		'mlp.up_proj': [hidden, middle],
		'mlp.down_proj': [middle, hidden],
	};

	const linears = new Map<string, LinearSource>();
	const read = async (key: string, [inFeatures, outFeatures]: number[]) =>
		linears.set(key, await linearSource(files, key, {inFeatures: inFeatures!, outFeatures: outFeatures!, gptq}));
	for (let layer = 0; layer < config.int('num_hidden_layers'); layer++) {
		for (const [key, shape] of Object.entries(shapes)) await read(`model.layers.${layer}.${key}`, shape);
		vectorSource(files, `model.layers.${layer}.input_layernorm.weight`, [hidden]);
	}
	if (linearFormat(files, 'lm_head')) await read('lm_head', [hidden, vocabulary]);
	embeddingSource(files, 'model.embed_tokens', vocabulary, hidden);
	return {linears, files, eosTokenIds};
}

describe.each([
	{name: 'stories260k-hf', format: 'float', linears: 35},
	{name: 'tinystories-656k', format: 'float', linears: 15},
	{name: 'tinystories-656k-exl2', format: 'exl2', linears: 15},
	{name: 'tinystories-656k-gptq', format: 'gptq', linears: 14},
])('$name', ({name, format, linears}) => {
	it('opens', async () => {
		const model = await readModel(name);
		expect(model.linears.size).toBe(linears);
		expect(new Set([...model.linears.values()].map(({weight}) => weight.format))).toEqual(new Set([format]));
		expect(model.eosTokenIds).toEqual([2]);
	});
});

it('finds the embedding of a tied model under the name it was stored by', async () => {
	const {files} = await readModel('tinystories-656k');
	expect(files.entry('model.embed_tokens.weight')).toBe(files.entry('lm_head.weight'));
	expect(files.totalBytes).toBe(2_624_000);
});

// Wrong rows, groups or scales would give an error near sqrt(2): the weights would not be related at all.
it.each(['tinystories-656k-exl2', 'tinystories-656k-gptq'])('%s is near the weights it was made from', async name => {
	const plain = await readModel('tinystories-656k');
	for (const [key, {weight}] of (await readModel(name)).linears) {
		const wanted = dequantize(plain.linears.get(key)!.weight);
		const error = dequantize(weight).map((value, i) => value - wanted[i]!);
		expect(norm(error) / norm(wanted), key).toBeLessThan(0.2);
	}
});

function norm(values: Float64Array): number {
	return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
