import {architecture} from './architecture.js';
import {decoder, readDecoder} from './blocks/decoder.js';

/** Llama 1 to 3.3 (Touvron et al., arXiv:2302.13971). */
export const llama = architecture({
	names: ['LlamaForCausalLM'],
	config: readDecoder,
	forward: decoder,
});
