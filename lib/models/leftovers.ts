import {ExlError} from '../errors/index.js';
import {linearTensors, type WeightFiles} from '../weights/index.js';
import type {ModelShape} from './architecture.js';

/** Parts of checkpoints that are known, and not used. */
const unused = [
	// Tables of old files, computed from the configuration here.
	/\.rotary_emb\.(?:inv_freq|cos_cached|sin_cached)$/,
	// Scales for 8-bit caches of other engines.
	/\.self_attn\.(?:[kv]_proj\.)?(?:[qkv]|kv|output)_scale$/,
	// Parts for pictures and sound.
	/^(?:model\.)?(?:vision_tower|vision_model|visual|vision_embed_tokens|audio_tower|audio_model|embed_vision|embed_audio)\./,
	/^(?:model\.)?(?:multi_modal_projector|mm_projector|image_newline)(?:\.|$)/,
	// Layers that predict further tokens.
	/^(?:model\.)?(?:mtp|mtp_layers|medusa_heads?|eagle)\./,
	// Heads of reward models.
	/^(?:v_head|value_head|score|reward_head)\./,
];

const layerOf = (name: string) => Number(/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? -1);

/** @throws {ExlError} `EXL_MODEL_INVALID` if the files have fewer layers than the configuration says. */
export function refuseMissingLayers(files: WeightFiles, {layers}: ModelShape): void {
	const last = files.names().reduce((most, name) => Math.max(most, layerOf(name)), -1);
	if (last >= 0 && last < layers - 1) throw disagreement(last, layers);
}

/**
@param read Names of linear layers and of single tensors.
@throws {ExlError} `EXL_MODEL_INVALID` if there is a tensor that nothing reads, and that is of no part known for that: the
configuration is that of another model, or the model does more than its architecture here.
*/
export function refuseLeftOvers(files: WeightFiles, read: ReadonlySet<string>, shape: ModelShape): void {
	const {layers, predictionLayers = 0} = shape;
	const left = files.names().filter(name => !isRead(name, read) && !unused.some(pattern => pattern.test(name)));
	const strange = left.filter(name => layerOf(name) < layers || layerOf(name) >= layers + predictionLayers);
	const last = strange.reduce((most, name) => Math.max(most, layerOf(name)), -1);
	if (last >= layers) throw disagreement(last, layers);
	const [first, ...others] = strange;
	if (first === undefined) return;
	const more = others.length > 0 ? ` and ${others.length} more tensors` : '';
	const message = `the files have ${first}${more}, which nothing of this architecture reads: config.json is of another model, or the model is more than its architecture says`;
	throw new ExlError('EXL_MODEL_INVALID', message, {op: first});
}

function isRead(name: string, read: ReadonlySet<string>): boolean {
	if (read.has(name)) return true;
	const dot = name.lastIndexOf('.');
	return linearTensors.has(name.slice(dot + 1)) && read.has(name.slice(0, dot));
}

function disagreement(last: number, layers: number): ExlError {
	const message = `the files have layers up to ${last}, but config.json says num_hidden_layers ${layers}, which is layers up to ${layers - 1}: one of the two is of another model`;
	return new ExlError('EXL_MODEL_INVALID', message, {op: 'num_hidden_layers'});
}
