import type {ConfigReader} from '../weights/index.js';
import {architecture} from './architecture.js';
import {decoder, readDecoder} from './blocks/decoder.js';

/** Qwen2 and Qwen2.5 (arXiv:2407.10671): Llama with biases on queries, keys and values. */
export const qwen2 = architecture({
	names: ['Qwen2ForCausalLM'],
	config: json => ({
		...readDecoder(json),
		biases: {qkv: true, o: false, mlp: false},
		window: qwenWindow(json),
	}),
	forward: decoder,
});

/** `layer_types` says it per layer; before it existed, the layers from `max_window_layers` on had the window. */
export function qwenWindow(json: ConfigReader): (layer: number) => number {
	if (!json.bool('use_sliding_window', false)) return () => 0;
	const window = json.index('sliding_window', 0);
	const types = json.optionalStrings('layer_types');
	const layers = json.int('num_hidden_layers');
	if (types && types.length !== layers) throw json.invalid('layer_types', `one for each of ${layers} layers`);
	const first = json.index('max_window_layers', 0);
	return layer => ((types ? types[layer] === 'sliding_attention' : layer >= first) ? window : 0);
}
