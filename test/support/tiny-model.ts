import {copyFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {FloatType} from '../../lib/native/index.js';
import {modelsDirectory, temporaryDirectory} from './directory.js';
import {type Exl2Group, type Packed, packExl2, packGptq, roundAll} from './quantize.js';
import {type Random, seededRandom} from './random.js';
import {type Tensor, tensor, writeSafetensors} from './safetensors.js';

export type TinyOptions = {
	readonly architecture?:
		| 'LlamaForCausalLM'
		| 'MistralForCausalLM'
		| 'Qwen2ForCausalLM'
		| 'Qwen3ForCausalLM'
		| 'StableLmForCausalLM';
	/** @default 'F32' */
	readonly format?: FloatType | 'exl2' | 'gptq';
	/** @default 64 */
	readonly hidden?: number;
	/** @default 96 */
	readonly intermediate?: number;
	/** @default 4 */
	readonly heads?: number;
	/** @default 2 */
	readonly keyHeads?: number;
	/** @default hidden / heads, and then not written */
	readonly headDim?: number;
	/** @default 2 */
	readonly layers?: number;
	/** @default 96 */
	readonly vocabulary?: number;
	/** @default false */
	readonly tied?: boolean;
	/** Which shape the norms of heads have; only Qwen3 has them. @default 'dim' */
	readonly headNorms?: 'dim' | 'heads dim';
	/** More fields of config.json. */
	readonly config?: Readonly<Record<string, unknown>>;
	readonly seed?: number;
};

/** A matrix `[inFeatures, outFeatures]`, exactly as its tensors say. */
export type Matrix = {readonly values: Float64Array; readonly inFeatures: number; readonly outFeatures: number};

export type TinyModel = {
	/** What config.json holds. */
	readonly config: Readonly<Record<string, unknown>>;
	readonly tensors: Map<string, Tensor>;
	/** Linear layers by name, and the embedding. */
	readonly matrices: ReadonlyMap<string, Matrix>;
	/** Norms and biases by whole name. */
	readonly vectors: ReadonlyMap<string, Float64Array>;
};

/** A random model of an architecture, small enough to be computed by hand. */
export function tinyModel(options: TinyOptions = {}): TinyModel {
	const {architecture = 'LlamaForCausalLM', format = 'F32', hidden = 64, intermediate = 96} = options;
	const {heads = 4, keyHeads = 2, headDim = hidden / heads, layers = 2, vocabulary = 96} = options;
	const {tied = false, headNorms = 'dim', config: more = {}, seed = 1} = options;
	const config = {
		architectures: [architecture],
		hidden_size: hidden,
		intermediate_size: intermediate,
		num_attention_heads: heads,
		num_key_value_heads: keyHeads,
		...(options.headDim !== undefined && {head_dim: headDim}),
		num_hidden_layers: layers,
		vocab_size: vocabulary,
		max_position_embeddings: 512,
		[architecture === 'StableLmForCausalLM' ? 'layer_norm_eps' : 'rms_norm_eps']: 1e-5,
		hidden_act: 'silu',
		tie_word_embeddings: tied,
		...(format === 'gptq' && {quantization_config: {quant_method: 'gptq', bits: 4, group_size: 32, desc_act: true}}),
		...more,
	};
	const build = new Builder(format, seed);
	const bias = Boolean(more['attention_bias']);
	const qkvBias = bias || architecture === 'Qwen2ForCausalLM' || Boolean(more['use_qkv_bias']);
	const norm = (name: string) => {
		build.norm(`${name}.weight`, [hidden]);
		if (architecture === 'StableLmForCausalLM') build.norm(`${name}.bias`, [hidden]);
	};
	const mlpBias = Boolean(more['mlp_bias']);

	build.table('model.embed_tokens', vocabulary, hidden);
	for (let i = 0; i < layers; i++) {
		const layer = `model.layers.${i}`;
		const attention = `${layer}.self_attn`;
		norm(`${layer}.input_layernorm`);
		build.linear(`${attention}.q_proj`, hidden, heads * headDim, qkvBias);
		build.linear(`${attention}.k_proj`, hidden, keyHeads * headDim, qkvBias);
		build.linear(`${attention}.v_proj`, hidden, keyHeads * headDim, qkvBias);
		build.linear(`${attention}.o_proj`, heads * headDim, hidden, bias);
		if (architecture === 'Qwen3ForCausalLM') {
			const perHead = headNorms === 'heads dim';
			build.norm(`${attention}.q_norm.weight`, perHead ? [heads, headDim] : [headDim]);
			build.norm(`${attention}.k_norm.weight`, perHead ? [keyHeads, headDim] : [headDim]);
		}
		norm(`${layer}.post_attention_layernorm`);
		build.linear(`${layer}.mlp.gate_proj`, hidden, intermediate, mlpBias);
		build.linear(`${layer}.mlp.up_proj`, hidden, intermediate, mlpBias);
		build.linear(`${layer}.mlp.down_proj`, intermediate, hidden, mlpBias);
	}
	norm('model.norm');
	if (!tied) build.linear('lm_head', hidden, format === 'exl2' ? Math.ceil(vocabulary / 32) * 32 : vocabulary, false);
	return {config, tensors: build.tensors, matrices: build.matrices, vectors: build.vectors};
}

/** Writes a model as a directory that can be loaded. Its tokenizer is that of `stories260k-hf`, which has 512 tokens. */
export async function writeTinyModel({config, tensors}: TinyModel, directory?: string): Promise<string> {
	const to = directory ?? (await temporaryDirectory());
	await writeFile(join(to, 'config.json'), JSON.stringify(config));
	await writeSafetensors(join(to, 'model.safetensors'), tensors);
	for (const name of ['tokenizer.json', 'tokenizer_config.json'])
		await copyFile(join(modelsDirectory, 'stories260k-hf', name), join(to, name));
	return to;
}

/** Groups of 32 rows, widest first, through all the widths there are room for. */
export function mixedGroups(inFeatures: number): Exl2Group[] {
	const widths = [8, 6, 5, 4, 3, 2];
	const count = inFeatures / 32;
	return Array.from({length: count}, (_, i) => ({
		bits: widths[count === 1 ? 3 : Math.floor((i * (widths.length - 1)) / (count - 1))]!,
		rows: 32,
	}));
}

class Builder {
	readonly tensors = new Map<string, Tensor>();
	readonly matrices = new Map<string, Matrix>();
	readonly vectors = new Map<string, Float64Array>();
	readonly #format: FloatType | 'exl2' | 'gptq';
	readonly #plain: FloatType;
	readonly #random: Random;

	constructor(format: FloatType | 'exl2' | 'gptq', seed: number) {
		this.#format = format;
		this.#plain = format === 'exl2' || format === 'gptq' ? 'F16' : format;
		this.#random = seededRandom(seed);
	}

	table(key: string, rows: number, columns: number): void {
		const values = this.#store(`${key}.weight`, [rows, columns], () => this.#symmetric(1));
		this.matrices.set(key, {values: transposed(values, rows, columns), inFeatures: columns, outFeatures: rows});
	}

	norm(name: string, shape: readonly number[]): void {
		this.vectors.set(
			name,
			this.#store(name, shape, () => 0.5 + this.#random.next()),
		);
	}

	linear(key: string, inFeatures: number, outFeatures: number, bias: boolean): void {
		this.matrices.set(key, this.#matrix(key, inFeatures, outFeatures));
		if (!bias) return;
		this.vectors.set(
			`${key}.bias`,
			this.#store(`${key}.bias`, [outFeatures], () => this.#symmetric(0.5)),
		);
	}

	#matrix(key: string, inFeatures: number, outFeatures: number): Matrix {
		const seed = this.#random.int(2 ** 31);
		if (this.#format === 'exl2') {
			return this.#packed(packExl2({key, outFeatures, groups: mixedGroups(inFeatures), seed}));
		}
		if (this.#format === 'gptq') {
			return this.#packed(packGptq({key, inFeatures, outFeatures, groupSize: 32, actOrder: true, seed}));
		}
		// The spread that keeps a row of the product as large as its input.
		const size = Math.sqrt(3 / inFeatures);
		const values = this.#store(`${key}.weight`, [outFeatures, inFeatures], () => this.#symmetric(size));
		return {values: transposed(values, outFeatures, inFeatures), inFeatures, outFeatures};
	}

	#packed({tensors, dequantised, inFeatures, outFeatures}: Packed): Matrix {
		for (const [name, packed] of tensors) this.tensors.set(name, packed);
		return {values: dequantised, inFeatures, outFeatures};
	}

	/** Stores numbers in the model's plain type; what they are then comes back. */
	#store(name: string, shape: readonly number[], next: () => number): Float64Array {
		const length = shape.reduce((a, b) => a * b, 1);
		const {stored, values} = roundAll(Float64Array.from({length}, next), this.#plain);
		this.tensors.set(name, tensor(this.#plain, shape, stored));
		return values;
	}

	/** Uniform in -size..size. */
	#symmetric(size: number): number {
		return (2 * this.#random.next() - 1) * size;
	}
}

function transposed(values: Float64Array, rows: number, columns: number): Float64Array {
	return values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
}
