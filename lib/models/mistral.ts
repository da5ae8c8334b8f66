import {architecture} from './architecture.js';
import {decoder, readDecoder} from './blocks/decoder.js';

/** Mistral (Jiang et al., arXiv:2310.06825): Llama with a sliding window in every layer, if the configuration has one. */
export const mistral = architecture({
	names: ['MistralForCausalLM'],
	config: json => {
		const window = json.index('sliding_window', 0);
		return {...readDecoder(json), window: () => window};
	},
	forward: decoder,
});
