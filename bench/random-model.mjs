// @ts-check

// Writes a model directory of random weights: the shape and format of a real model, so that speed and memory can be
// measured without a download. Its text is noise. Weights are streamed to disk, tensor after tensor.
//
//   node bench/random-model.mjs DIR [--shape 0.8m|130m|460m|0.5b|1b|7b|8b|70b] [--format exl2|gptq|f16] [--bits 4]
//     [--context 2048]
//
// exl2: `bits` in groups of 128, those between two widths by groups of both; a head of 6 bits. gptq: 4 bits in groups of
// 128. Embedding and norms are f16.

import {randomFillSync} from 'node:crypto';
import {copyFileSync, mkdirSync, readFileSync, realpathSync, writeFileSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';

/** @typedef {{hidden: number, intermediate: number, layers: number, heads: number, keyHeads: number, vocabulary: number}} Shape */
/** @typedef {{name: string, dtype: 'I32' | 'I16' | 'F16', shape: number[], fill: (bytes: Buffer) => void}} Tensor */

/** Named after their parameters: 0.5b as Qwen2.5, 8b and 70b as Llama 3; `460m` takes about 310 MB in EXL2. @type {Record<string, Shape>} */
export const shapes = {
	'0.8m': {hidden: 128, intermediate: 256, layers: 2, heads: 4, keyHeads: 2, vocabulary: 2048},
	'130m': {hidden: 768, intermediate: 2048, layers: 12, heads: 12, keyHeads: 12, vocabulary: 32000},
	'460m': {hidden: 1280, intermediate: 3456, layers: 22, heads: 20, keyHeads: 5, vocabulary: 32000},
	'0.5b': {hidden: 896, intermediate: 4864, layers: 24, heads: 14, keyHeads: 2, vocabulary: 151936},
	'1b': {hidden: 2048, intermediate: 5632, layers: 22, heads: 32, keyHeads: 4, vocabulary: 32000},
	'7b': {hidden: 4096, intermediate: 14336, layers: 32, heads: 32, keyHeads: 8, vocabulary: 32000},
	'8b': {hidden: 4096, intermediate: 14336, layers: 32, heads: 32, keyHeads: 8, vocabulary: 128256},
	'70b-pair': {hidden: 8192, intermediate: 28672, layers: 2, heads: 64, keyHeads: 8, vocabulary: 32000},
	'70b': {hidden: 8192, intermediate: 28672, layers: 80, heads: 64, keyHeads: 8, vocabulary: 128256},
};

const groupSize = 128;
const chunkBytes = 1 << 20;
const elementBytes = {I32: 4, I16: 2, F16: 2};

/** 64 KiB of noise, repeated: random enough for kernels, and as fast as the disk. */
const noise = randomFillSync(Buffer.alloc(1 << 16));

/** @param {Buffer} bytes */
const random = bytes => {
	for (let at = 0; at < bytes.length; at += noise.length) noise.copy(bytes, at);
};

/** Halves of `scale`/2 to `scale`, of either sign, so that nothing overflows. @param {number} scale @param {boolean} signed */
const halves = (scale, signed = true) => {
	const exponent = Math.floor(Math.log2(scale)) + 15;
	return (/** @type {Buffer} */ bytes) => {
		random(bytes);
		for (let i = 1; i < bytes.length; i += 2) {
			const byte = bytes[i] ?? 0;
			bytes[i] = (signed ? byte & 0x80 : 0) | (exponent << 2) | (byte & 3);
		}
	};
};

/** @param {string} key @param {number} inFeatures @param {number} outFeatures @param {number} bits @returns {Tensor[]} */
function exl2(key, inFeatures, outFeatures, bits) {
	const groups = Math.ceil(inFeatures / groupSize);
	const wide = Math.round((bits % 1) * groups);
	const widths = Array.from({length: groups}, (_, g) => (g < wide ? Math.ceil(bits) : Math.floor(bits)));
	/** The row of `q_weight` at which each group starts, and the end. */
	const starts = [0];
	for (const [g, width] of widths.entries()) {
		const inputs = Math.min(groupSize, inFeatures - g * groupSize);
		starts.push((starts[g] ?? 0) + (inputs * width) / 32);
	}
	const pairs = (/** @type {Buffer} */ bytes) => {
		for (const [g, width] of widths.entries()) {
			bytes.writeUInt16LE(width, g * 4);
			bytes.writeUInt16LE(starts[g] ?? 0, g * 4 + 2);
		}
	};
	const order = (/** @type {Buffer} */ bytes) => {
		// A permutation without a pattern a cache could use: 7919 is prime and divides no dimension of a model.
		for (let i = 0; i < inFeatures; i++) bytes.writeInt32LE((i * 7919) % inFeatures, i * 4);
	};
	// A code is up to 2^(bits - 1) away from its zero, and a scale up to 16^2 / 256 of the largest.
	const scale = 1 / Math.sqrt(inFeatures) / 2 ** (Math.ceil(bits) - 2);
	return [
		{name: `${key}.q_weight`, dtype: 'I32', shape: [starts[groups] ?? 0, outFeatures], fill: random},
		{name: `${key}.q_scale`, dtype: 'I32', shape: [groups, outFeatures / 8], fill: random},
		{name: `${key}.q_scale_max`, dtype: 'F16', shape: [groups], fill: halves(scale * 2, false)},
		{name: `${key}.q_groups`, dtype: 'I16', shape: [groups * 2], fill: pairs},
		{name: `${key}.q_invperm`, dtype: 'I32', shape: [inFeatures], fill: order},
	];
}

/** @param {string} key @param {number} inFeatures @param {number} outFeatures @returns {Tensor[]} */
function gptq(key, inFeatures, outFeatures) {
	const groups = Math.ceil(inFeatures / groupSize);
	return [
		{name: `${key}.qweight`, dtype: 'I32', shape: [inFeatures / 8, outFeatures], fill: random},
		{name: `${key}.qzeros`, dtype: 'I32', shape: [groups, outFeatures / 8], fill: bytes => bytes.fill(0x77)},
		{name: `${key}.scales`, dtype: 'F16', shape: [groups, outFeatures], fill: halves(0.25 / Math.sqrt(inFeatures))},
	];
}

/** @param {string} key @param {number} inFeatures @param {number} outFeatures @returns {Tensor[]} */
function plain(key, inFeatures, outFeatures) {
	const fill = halves(1 / Math.sqrt(inFeatures));
	return [{name: `${key}.weight`, dtype: 'F16', shape: [outFeatures, inFeatures], fill}];
}

/** @param {Shape} shape @param {string} format @param {number} bits @returns {Tensor[]} */
function tensorsOf({hidden, intermediate, layers, heads, keyHeads, vocabulary}, format, bits) {
	/** @type {(key: string, inFeatures: number, outFeatures: number) => Tensor[]} */
	const linear = (key, i, o) =>
		format === 'exl2' ? exl2(key, i, o, bits) : format === 'gptq' ? gptq(key, i, o) : plain(key, i, o);
	/** @type {(name: string) => Tensor} */
	const norm = name => ({name: `${name}.weight`, dtype: 'F16', shape: [hidden], fill: halves(1, false)});
	const keys = (hidden / heads) * keyHeads;

	const list = plain('model.embed_tokens', vocabulary, hidden).map(tensor => ({
		...tensor,
		shape: [vocabulary, hidden],
	}));
	for (let i = 0; i < layers; i++) {
		const layer = `model.layers.${i}`;
		list.push(norm(`${layer}.input_layernorm`), norm(`${layer}.post_attention_layernorm`));
		list.push(...linear(`${layer}.self_attn.q_proj`, hidden, hidden));
		list.push(...linear(`${layer}.self_attn.k_proj`, hidden, keys));
		list.push(...linear(`${layer}.self_attn.v_proj`, hidden, keys));
		list.push(...linear(`${layer}.self_attn.o_proj`, hidden, hidden));
		list.push(...linear(`${layer}.mlp.gate_proj`, hidden, intermediate));
		list.push(...linear(`${layer}.mlp.up_proj`, hidden, intermediate));
		list.push(...linear(`${layer}.mlp.down_proj`, intermediate, hidden));
	}
	list.push(norm('model.norm'));
	// GPTQ writers leave the head alone.
	list.push(...(format === 'exl2' ? exl2('lm_head', hidden, vocabulary, 6) : plain('lm_head', hidden, vocabulary)));
	return list;
}

/** @param {Tensor} tensor */
const bytesOf = ({shape, dtype}) => shape.reduce((product, size) => product * size, elementBytes[dtype]);

/** @param {string} file @param {readonly Tensor[]} tensors @returns {Promise<number>} bytes of all tensors */
async function writeSafetensors(file, tensors) {
	/** @type {Record<string, unknown>} */
	const header = {};
	let end = 0;
	for (const tensor of tensors) {
		const start = end;
		end += bytesOf(tensor);
		header[tensor.name] = {dtype: tensor.dtype, shape: tensor.shape, data_offsets: [start, end]};
	}
	const json = Buffer.from(JSON.stringify(header));
	const prefix = Buffer.alloc(8);
	prefix.writeBigUInt64LE(BigInt(json.length));

	const handle = await open(file, 'w');
	try {
		await handle.write(Buffer.concat([prefix, json]));
		for (const tensor of tensors) {
			const total = bytesOf(tensor);
			// Small tables are written whole, because what fills them counts from their start.
			const chunk = Buffer.alloc(Math.min(total, chunkBytes));
			tensor.fill(chunk);
			for (let at = 0; at < total; at += chunk.length) await handle.write(chunk, 0, Math.min(chunk.length, total - at));
		}
	} finally {
		await handle.close();
	}
	return end;
}

/** The tokenizer of the bundled models, with names for the ids it lacks. @param {string} directory @param {number} vocabulary */
function writeTokenizer(directory, vocabulary) {
	const source = new URL('../models/tinystories-656k/', import.meta.url);
	const tokenizer = JSON.parse(readFileSync(new URL('tokenizer.json', source), 'utf8'));
	const {vocab} = tokenizer.model;
	for (let id = Object.keys(vocab).length; id < vocabulary; id++) vocab[`word${id}`] = id;
	writeFileSync(join(directory, 'tokenizer.json'), JSON.stringify(tokenizer));
	copyFileSync(new URL('tokenizer_config.json', source), join(directory, 'tokenizer_config.json'));
}

/**
Writes the directory and says how many bytes its weights are.

@param {string} directory @param {{shape?: string | undefined, format?: string | undefined, bits?: number | undefined, context?: number | undefined}} options
*/
export async function writeRandomModel(
	directory,
	{shape: name = '130m', format = 'exl2', bits = 4, context = 2048} = {},
) {
	const shape = shapes[name];
	if (!shape) throw new Error(`no shape ${name}; there are ${Object.keys(shapes).join(', ')}`);
	if (!['exl2', 'gptq', 'f16'].includes(format)) throw new Error(`no format ${format}; there are exl2, gptq, f16`);

	mkdirSync(directory, {recursive: true});
	const quantised = {
		exl2: {quant_method: 'exl2', version: '0.3.2', bits, head_bits: 6},
		gptq: {quant_method: 'gptq', bits: 4, group_size: groupSize, desc_act: false, sym: true},
	}[format];
	const config = {
		architectures: ['LlamaForCausalLM'],
		model_type: 'llama',
		hidden_act: 'silu',
		hidden_size: shape.hidden,
		intermediate_size: shape.intermediate,
		num_hidden_layers: shape.layers,
		num_attention_heads: shape.heads,
		num_key_value_heads: shape.keyHeads,
		vocab_size: shape.vocabulary,
		max_position_embeddings: context,
		rms_norm_eps: 1e-5,
		rope_theta: 10000,
		tie_word_embeddings: false,
		...(quantised && {quantization_config: quantised}),
	};
	writeFileSync(join(directory, 'config.json'), JSON.stringify(config, null, '\t'));
	writeTokenizer(directory, shape.vocabulary);
	return writeSafetensors(join(directory, 'model.safetensors'), tensorsOf(shape, format, bits));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
	const {values, positionals} = parseArgs({
		allowPositionals: true,
		options: {
			shape: {type: 'string'},
			format: {type: 'string'},
			bits: {type: 'string'},
			context: {type: 'string'},
		},
	});
	const [directory] = positionals;
	if (directory === undefined)
		throw new Error('node bench/random-model.mjs DIR [--shape S] [--format F] [--bits B] [--context N]');
	const number = (/** @type {string | undefined} */ text) => (text === undefined ? undefined : Number(text));
	const numbers = {bits: number(values.bits), context: number(values.context)};
	const bytes = await writeRandomModel(directory, {...values, ...numbers});
	console.log(`${directory}: ${(bytes / 1e6).toFixed(0)} MB of weights`);
}
