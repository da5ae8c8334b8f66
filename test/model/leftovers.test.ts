import {expect, it} from 'vitest';
import {loadModel} from '../../lib/model/index.js';
import {inspectModel} from '../../lib/model/inspect.js';
import {tensor} from '../support/safetensors.js';
import {type TinyOptions, tinyModel, writeTinyModel} from '../support/tiny-model.js';

/** What comes of loading a model that has these tensors besides its own. */
async function withMore(names: readonly string[], options: TinyOptions = {}): Promise<string> {
	const model = tinyModel({layers: 1, ...options});
	for (const name of names) model.tensors.set(name, tensor('F32', [2], new Uint8Array(8)));
	const directory = await writeTinyModel(model);
	const outcome = await loadModel(directory, {device: 'cpu', threads: 1}).then(
		async loaded => {
			await loaded.dispose();
			return 'loaded';
		},
		error => `${error.code}: ${error.message}`,
	);
	// Whoever looks at a model reads the same of it.
	const inspected = await inspectModel(directory).then(
		() => 'loaded',
		error => `${error.code}: ${error.message}`,
	);
	expect(inspected).toBe(outcome);
	return outcome;
}

it('a layer more than the configuration says', async () => {
	const two = tinyModel({layers: 2, config: {num_hidden_layers: 1}});
	await expect(loadModel(await writeTinyModel(two), {device: 'cpu', threads: 1})).rejects.toMatchObject({
		code: 'EXL_MODEL_INVALID',
		message: expect.stringMatching(/the files have layers up to 1, but config\.json says num_hidden_layers 1/),
	});
	expect(await withMore(['model.layers.7.mlp.up_proj.q_weight'])).toMatch(/^EXL_MODEL_INVALID: .*layers up to 7/);
});

it.each([
	['a part that another architecture has', 'model.layers.0.self_attn.q_norm.weight'],
	['an adapter', 'model.layers.0.self_attn.q_proj.lora_A.weight'],
	['scales of a format that is not known', 'model.layers.0.self_attn.q_proj.weight_scale'],
	['learned positions', 'model.embed_positions.weight'],
])('%s', async (_, name) => {
	const outcome = await withMore([name]);
	expect(outcome).toMatch(/^EXL_MODEL_INVALID: the files have .*, which nothing of this architecture reads/);
	expect(outcome).toContain(name);
	expect(await withMore([name, 'other.weight'])).toContain('and 1 more tensors');
});

it('parts that are known and not used are no mistake', async () => {
	const known = [
		'model.layers.0.self_attn.rotary_emb.inv_freq',
		'model.layers.9.self_attn.rotary_emb.inv_freq',
		'model.layers.0.self_attn.k_scale',
		'model.layers.0.self_attn.v_proj.output_scale',
		'vision_tower.vision_model.encoder.layers.3.mlp.fc1.weight',
		'model.visual.blocks.0.attn.qkv.weight',
		'multi_modal_projector.linear_1.weight',
		'mtp.layers.0.mlp.up_proj.weight',
		'score.weight',
	];
	expect(await withMore(known)).toBe('loaded');
	const prediction = ['model.layers.1.eh_proj.weight'];
	expect(await withMore(prediction)).toMatch(/^EXL_MODEL_INVALID/);
	expect(await withMore(prediction, {config: {num_nextn_predict_layers: 1}})).toBe('loaded');
});

it.each<TinyOptions>([{tied: true}, {format: 'exl2'}, {format: 'gptq'}, {tied: true, format: 'exl2'}])(
	'nothing is left over of %j',
	async options => {
		expect(await withMore([], options)).toBe('loaded');
	},
);

it('a list of layer types of another length', async () => {
	const options = {
		architecture: 'Qwen2ForCausalLM',
		config: {use_sliding_window: true, layer_types: ['full_attention', 'x']},
	} as const;
	expect(await withMore([], options)).toMatch(
		/^EXL_MODEL_INVALID: .*layer_types is .*, expected one for each of 1 layers/,
	);
});

it('a context that YaRN lengthens can be used', async () => {
	const rope_scaling = {type: 'yarn', factor: 4, original_max_position_embeddings: 512};
	const directory = await writeTinyModel(tinyModel({layers: 1, config: {rope_scaling}}));
	await using model = await loadModel(directory, {device: 'cpu', threads: 1, cache: {tokens: 1024}});
	expect(model.contextTokens).toBe(2048);
	const ids = Array.from({length: 600}, (_, i) => i % 90);
	expect((await model.complete(ids, {maxTokens: 1})).promptTokens).toBe(600);
});
