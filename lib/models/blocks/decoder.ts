import {ExlError} from '../../errors/index.js';
import {
	add,
	attention,
	cacheWrite,
	embed,
	flat,
	gatherRows,
	heads,
	layerNorm,
	linear,
	rmsNorm,
	rope,
	ropeAngles,
	siluMul,
} from '../../ops/index.js';
import type {CacheLayer, Value} from '../../program/index.js';
import type {ConfigReader} from '../../weights/index.js';
import type {Inputs, ModelShape} from '../architecture.js';
import type {WeightScope} from '../scope.js';
import {type RopeConfig, readRope} from './rope.js';
import {readContextTokens} from './rope-settings.js';

/** A decoder in the manner of Llama: norms before attention and MLP, rotary positions, a gated MLP. */
export type DecoderConfig = ModelShape & {
	readonly hidden: number;
	readonly intermediate: number;
	readonly heads: number;
	readonly norm: 'rms' | 'layer';
	readonly eps: number;
	readonly rope: RopeConfig;
	/** The head is the embedding. */
	readonly tied: boolean;
	readonly biases: {readonly qkv: boolean; readonly o: boolean; readonly mlp: boolean};
	/** Queries and keys are normalised per head before they turn. */
	readonly headNorms: boolean;
	/** Tokens layer `i` sees; 0 is all. */
	readonly window: (layer: number) => number;
};

/**
The fields every such decoder shares, with Llama's choices for the rest.

@param eps The field with that of norms.
@param rotary The part of a head that turns, if nothing else is said.
*/
export function readDecoder(json: ConfigReader, {eps: epsField = 'rms_norm_eps', rotary = 1} = {}): DecoderConfig {
	const activation = json.string(['hidden_act', 'hidden_activation'], 'silu');
	if (activation !== 'silu') {
		throw new ExlError('EXL_MODEL_UNSUPPORTED', `${json.file}: the activation ${activation} is not implemented`);
	}
	const hidden = json.int('hidden_size');
	const queryHeads = json.int('num_attention_heads');
	const keyHeads = json.int('num_key_value_heads', queryHeads);
	const headDim = json.int('head_dim', hidden / queryHeads);
	if (!Number.isInteger(headDim) || headDim > 256) throw json.invalid('head_dim', 'an integer from 1 to 256');
	if (queryHeads % keyHeads !== 0) throw json.invalid('num_key_value_heads', `a divisor of ${queryHeads}`);
	const eps = json.number(epsField);
	if (!(eps > 0)) throw json.invalid(epsField, 'a number above 0');
	const attentionBias = json.bool('attention_bias', false);
	return {
		layers: json.int('num_hidden_layers'),
		hidden,
		intermediate: json.int('intermediate_size'),
		heads: queryHeads,
		keyHeads,
		headDim,
		vocabulary: json.int('vocab_size'),
		contextTokens: readContextTokens(json),
		predictionLayers: json.index('num_nextn_predict_layers', 0),
		norm: 'rms',
		eps,
		rope: readRope(json, headDim, rotary),
		tied: json.bool('tie_word_embeddings', false),
		biases: {qkv: attentionBias, o: attentionBias, mlp: json.bool('mlp_bias', false)},
		headNorms: false,
		window: () => 0,
	};
}

export function decoder({recorder, cache}: Inputs, w: WeightScope, c: DecoderConfig): Value {
	const table = w.embedding('model.embed_tokens', c.vocabulary, c.hidden, c);
	const angles = ropeAngles(recorder, w.constant('model.rope', c.rope.frequencies), c.rope.scale);

	let x = embed(recorder, table);
	for (let i = 0; i < c.layers; i++) {
		const layer = w.scope(`model.layers.${i}`);
		const normed = norm(x, layer, 'input_layernorm', c);
		x = add(x, selfAttention(normed, angles, cache(i), layer.scope('self_attn'), c, c.window(i)));
		x = add(x, gatedMlp(norm(x, layer, 'post_attention_layernorm', c), layer.scope('mlp'), c));
	}

	const last = norm(gatherRows(x), w, 'model.norm', c);
	return linear(last, w.head(table, c.vocabulary, c.hidden, c));
}

function norm(x: Value, w: WeightScope, name: string, c: DecoderConfig): Value {
	return c.norm === 'layer' ? layerNorm(x, w.layerNorm(name, c.hidden), c) : rmsNorm(x, w.norm(name, c.hidden), c);
}

function selfAttention(
	x: Value,
	angles: Value,
	cache: CacheLayer,
	w: WeightScope,
	c: DecoderConfig,
	window: number,
): Value {
	const project = (name: string, count: number) =>
		heads(linear(x, w.linear(name, c.hidden, count * c.headDim, {bias: c.biases.qkv})), count);
	const normed = (value: Value, name: string, count: number) =>
		c.headNorms ? rmsNorm(value, w.norm(name, c.headDim, count), c) : value;

	const q = rope(normed(project('q_proj', c.heads), 'q_norm', c.heads), angles);
	const k = rope(normed(project('k_proj', c.keyHeads), 'k_norm', c.keyHeads), angles);
	cacheWrite(k, project('v_proj', c.keyHeads), cache);
	const mixed = attention(q, cache, {scale: c.headDim ** -0.5, window});
	return linear(flat(mixed), w.linear('o_proj', c.heads * c.headDim, c.hidden, {bias: c.biases.o}));
}

function gatedMlp(x: Value, w: WeightScope, c: DecoderConfig): Value {
	const bias = {bias: c.biases.mlp};
	const gate = linear(x, w.linear('gate_proj', c.hidden, c.intermediate, bias));
	const up = linear(x, w.linear('up_proj', c.hidden, c.intermediate, bias));
	return linear(siluMul(gate, up), w.linear('down_proj', c.intermediate, c.hidden, bias));
}
