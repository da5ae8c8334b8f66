import {ExlError} from '../errors/index.js';
import {architecture} from './architecture.js';
import {decoder, readDecoder} from './blocks/decoder.js';

/** StableLM 3B and StableLM 2 1.6B (arXiv:2402.17834): Llama with layer norms, whose heads turn in part. */
export const stableLm = architecture({
	names: ['StableLmForCausalLM'],
	config: json => {
		// As in StableLM 2 12B.
		for (const field of ['use_parallel_residual', 'qk_layernorm'])
			if (json.bool(field, false)) {
				throw new ExlError('EXL_MODEL_UNSUPPORTED', `${json.file}: ${field} is not implemented`);
			}
		return {
			...readDecoder(json, {eps: 'layer_norm_eps', rotary: 0.25}),
			norm: 'layer' as const,
			biases: {qkv: json.bool('use_qkv_bias', false), o: false, mlp: false},
		};
	},
	forward: decoder,
});
