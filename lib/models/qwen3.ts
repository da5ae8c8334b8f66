import {architecture} from './architecture.js';
import {decoder, readDecoder} from './blocks/decoder.js';
import {qwenWindow} from './qwen2.js';

/** Qwen3 (arXiv:2505.09388): Llama that normalises every query and key head. */
export const qwen3 = architecture({
	names: ['Qwen3ForCausalLM'],
	config: json => ({...readDecoder(json), headNorms: true, window: qwenWindow(json)}),
	forward: decoder,
});
