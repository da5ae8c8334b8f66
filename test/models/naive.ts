/**
The forward pass of Llama, Mistral, Qwen2, Qwen3 and StableLM as their papers and Hugging Face transformers define it, in
double precision and without regard to speed. It shares no code with what it checks.
*/

import type {Matrix, TinyModel} from '../support/tiny-model.js';

type Rows = Float64Array[];

type Rope = {readonly frequencies: readonly number[]; readonly scale: number};

/** Logits `[vocabulary]` after each of `ids`. */
export function naiveLogits({config, matrices, vectors}: TinyModel, ids: readonly number[]): Rows {
	const c = config as Record<string, number>;
	const [hidden, heads, layers] = [c['hidden_size']!, c['num_attention_heads']!, c['num_hidden_layers']!];
	const keyHeads = c['num_key_value_heads'] ?? heads;
	const dim = c['head_dim'] ?? hidden / heads;
	const eps = c['rms_norm_eps'] ?? c['layer_norm_eps']!;
	const rope = ropeOf(config, dim);
	const embedding = matrices.get('model.embed_tokens')!;

	const project = (x: Rows, key: string) => linear(x, matrices.get(key)!, vectors.get(`${key}.bias`));
	const norm = (x: Rows, name: string) => {
		const [weight, bias] = [vectors.get(`${name}.weight`)!, vectors.get(`${name}.bias`)];
		return x.map(row => (bias ? layerNorm(row, weight, bias, eps) : rmsNorm(row, weight, eps)));
	};
	const headNorm = (x: Rows, name: string) => {
		const weight = vectors.get(name);
		if (!weight) return x;
		return x.map(row =>
			joined(
				split(row, dim).map((head, h) => {
					const own = weight.length === dim ? weight : weight.slice(h * dim, (h + 1) * dim);
					return rmsNorm(head, own, eps);
				}),
			),
		);
	};

	let x: Rows = ids.map(id => Float64Array.from({length: hidden}, (_, i) => at(embedding, i, id)));
	for (let i = 0; i < layers; i++) {
		const layer = `model.layers.${i}`;
		const attention = `${layer}.self_attn`;
		const normed = norm(x, `${layer}.input_layernorm`);
		const turn = (rows: Rows) => rows.map((row, t) => joined(split(row, dim).map(head => rotateHalves(head, t, rope))));
		const q = turn(headNorm(project(normed, `${attention}.q_proj`), `${attention}.q_norm.weight`));
		const k = turn(headNorm(project(normed, `${attention}.k_proj`), `${attention}.k_norm.weight`));
		const v = project(normed, `${attention}.v_proj`);
		const mixed = q.map((row, t) =>
			joined(
				split(row, dim).map((head, h) => {
					const key = Math.floor(h / (heads / keyHeads));
					const window = windowOf(config, i);
					const first = window > 0 ? Math.max(0, t - window + 1) : 0;
					const seen = (rows: Rows) => rows.slice(first, t + 1).map(r => r.subarray(key * dim, (key + 1) * dim));
					return attend(head, seen(k), seen(v));
				}),
			),
		);
		x = sum(x, project(mixed, `${attention}.o_proj`));

		const inner = norm(x, `${layer}.post_attention_layernorm`);
		const gate = project(inner, `${layer}.mlp.gate_proj`);
		const up = project(inner, `${layer}.mlp.up_proj`);
		const gated = gate.map((row, r) => row.map((g, n) => (g / (1 + Math.exp(-g))) * up[r]![n]!));
		x = sum(x, project(gated, `${layer}.mlp.down_proj`));
	}
	const last = norm(x, 'model.norm');
	return linear(last, matrices.get('lm_head') ?? embedding).map(row => row.subarray(0, c['vocab_size']));
}

/** Softmax of the scaled scores times the values; every key is visible. */
export function attend(q: Float64Array, keys: Rows, values: Rows): Float64Array {
	const scores = keys.map(key => dot(q, key) / Math.sqrt(q.length));
	const most = Math.max(...scores);
	const weights = scores.map(score => Math.exp(score - most));
	const total = weights.reduce((a, b) => a + b, 0);
	return q.map((_, i) => weights.reduce((mix, weight, t) => mix + weight * values[t]![i]!, 0) / total);
}

/** `MistralConfig.sliding_window`; Qwen's layers from `max_window_layers` on, or those `layer_types` names. */
export function windowOf(config: TinyModel['config'], layer: number): number {
	const window = (config['sliding_window'] as number | undefined) ?? 0;
	const [architecture] = config['architectures'] as string[];
	if (architecture === 'MistralForCausalLM') return window;
	if (!architecture!.startsWith('Qwen') || config['use_sliding_window'] !== true) return 0;
	const types = config['layer_types'] as string[] | undefined;
	if (types) return types[layer] === 'sliding_attention' ? window : 0;
	return layer >= (config['max_window_layers'] as number) ? window : 0;
}

/** transformers `modeling_rope_utils`; frequencies are fp32 there, so they are rounded here. */
function ropeOf(config: TinyModel['config'], headDim: number): Rope {
	const base = (config['rope_theta'] as number | undefined) ?? 10_000;
	const scaling = config['rope_scaling'] as Record<string, number> | undefined;
	const kind = (scaling?.['rope_type'] ?? scaling?.['type']) as string | undefined;
	const dim = Math.trunc(
		headDim * ((config['partial_rotary_factor'] as number | undefined) ?? (config['layer_norm_eps'] ? 0.25 : 1)),
	);
	const plain = [];
	for (let i = 0; i < dim; i += 2) plain.push(1 / base ** (i / dim));
	const factor = scaling?.['factor'] ?? 1;
	const rounded = (frequencies: number[], scale = 1) => ({frequencies: frequencies.map(Math.fround), scale});

	if (kind === 'linear') return rounded(plain.map(f => f / factor));
	if (kind === 'llama3') {
		const original = scaling!['original_max_position_embeddings']!;
		const [low, high] = [scaling!['low_freq_factor']!, scaling!['high_freq_factor']!];
		return rounded(
			plain.map(f => {
				const wavelength = (2 * Math.PI) / f;
				if (wavelength < original / high) return f;
				if (wavelength > original / low) return f / factor;
				const smooth = (original / wavelength - low) / (high - low);
				return ((1 - smooth) * f) / factor + smooth * f;
			}),
		);
	}
	if (kind === 'yarn') {
		const original = scaling!['original_max_position_embeddings'] ?? (config['max_position_embeddings'] as number);
		const correction = (rotations: number) =>
			(dim * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
		const low = Math.max(Math.floor(correction(scaling!['beta_fast'] ?? 32)), 0);
		let high = Math.min(Math.ceil(correction(scaling!['beta_slow'] ?? 1)), dim - 1);
		if (low === high) high += 0.001;
		const scale = scaling!['attention_factor'] ?? 0.1 * Math.log(factor) + 1;
		return rounded(
			plain.map((f, i) => {
				const ramp = Math.min(Math.max((i - low) / (high - low), 0), 1);
				const extrapolated = 1 - ramp;
				return (f / factor) * (1 - extrapolated) + f * extrapolated;
			}),
			scale,
		);
	}
	return rounded(plain);
}

/** `x * cos + rotate_half(x) * sin`; elements past the frequencies stay. */
function rotateHalves(x: Float64Array, position: number, {frequencies, scale}: Rope): Float64Array {
	const y = x.slice();
	const half = frequencies.length;
	for (let i = 0; i < half; i++) {
		const [cosine, sine] = [Math.cos(position * frequencies[i]!) * scale, Math.sin(position * frequencies[i]!) * scale];
		y[i] = x[i]! * cosine - x[i + half]! * sine;
		y[i + half] = x[i + half]! * cosine + x[i]! * sine;
	}
	return y;
}

function linear(x: Rows, matrix: Matrix, bias?: Float64Array): Rows {
	const {inFeatures, outFeatures, values} = matrix;
	return x.map(row => {
		const y = new Float64Array(outFeatures);
		for (let k = 0; k < inFeatures; k++)
			for (let n = 0; n < outFeatures; n++) y[n]! += row[k]! * values[k * outFeatures + n]!;
		return bias ? y.map((value, n) => value + bias[n]!) : y;
	});
}

function rmsNorm(x: Float64Array, weight: Float64Array, eps: number): Float64Array {
	const root = Math.sqrt(dot(x, x) / x.length + eps);
	return x.map((value, i) => (weight[i]! * value) / root);
}

function layerNorm(x: Float64Array, weight: Float64Array, bias: Float64Array, eps: number): Float64Array {
	const mean = x.reduce((total, value) => total + value, 0) / x.length;
	const centred = x.map(value => value - mean);
	return rmsNorm(centred, weight, eps).map((value, i) => value + bias[i]!);
}

function at({values, outFeatures}: Matrix, row: number, column: number): number {
	return values[row * outFeatures + column]!;
}

function dot(a: Float64Array, b: Float64Array): number {
	let total = 0;
	for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
	return total;
}

function sum(a: Rows, b: Rows): Rows {
	return a.map((row, r) => row.map((value, n) => value + b[r]![n]!));
}

function split(row: Float64Array, dim: number): Rows {
	return Array.from({length: row.length / dim}, (_, h) => row.subarray(h * dim, (h + 1) * dim));
}

function joined(parts: Rows): Float64Array {
	return Float64Array.from(parts.flatMap(part => [...part]));
}
