import {ExlError} from '../../errors/index.js';
import type {ConfigReader} from '../../weights/index.js';

/** How positions become angles. */
export type RopeConfig = {
	/** Radians per token for each pair of elements, `[pairs]`. */
	readonly frequencies: Float32Array;
	/** Multiplies cosine and sine; other than 1 only for YaRN. */
	readonly scale: number;
};

const {PI, log, max, min, floor, ceil} = Math;

/**
Rotary position embedding as config.json describes it: plain, `linear`, `llama3` or `yarn`.

The formulas are those of Hugging Face transformers (modeling_rope_utils), which for YaRN take the original context
length from the configuration (Peng et al., arXiv:2309.00071).

@param part Of a head that turns, if the configuration does not say it.
@throws {ExlError} `EXL_MODEL_UNSUPPORTED` for another kind of scaling.
*/
export function readRope(json: ConfigReader, headDim: number, part = 1): RopeConfig {
	const scaling = json.optionalObject(['rope_scaling', 'rope_parameters']);
	const base = json.optionalNumber(['rope_theta', 'rope_parameters.rope_theta']) ?? 10_000;
	if (!(base > 1)) throw json.invalid(['rope_theta', 'rope_parameters.rope_theta'], 'a number above 1');
	const dim = 2 * floor((headDim * json.number('partial_rotary_factor', part)) / 2);
	if (!(dim >= 2 && dim <= headDim)) throw json.invalid('partial_rotary_factor', 'a number above 0, up to 1');

	const plain = Array.from({length: dim / 2}, (_, i) => base ** ((-2 * i) / dim));
	const kind = scaling?.string(['rope_type', 'type'], 'default') ?? 'default';
	if (!scaling || kind === 'default') return rope(plain);

	const factor = scaling.number('factor');
	if (!(factor >= 1)) throw scaling.invalid('factor', 'a number of at least 1');
	switch (kind) {
		case 'linear':
			return rope(plain.map(f => f / factor));
		case 'llama3':
			return rope(plain.map(llama3(scaling, factor)));
		case 'yarn':
			return yarn(plain, {base, dim, factor, scaling, json});
		default:
			throw new ExlError('EXL_MODEL_UNSUPPORTED', `${json.file}: rope scaling ${kind} is not implemented`);
	}
}

function rope(frequencies: readonly number[], scale = 1): RopeConfig {
	return {frequencies: Float32Array.from(frequencies), scale};
}

/** Long waves are stretched by `factor`, short ones kept, those in between blended. */
function llama3(scaling: ConfigReader, factor: number): (frequency: number) => number {
	const low = scaling.number('low_freq_factor');
	const high = scaling.number('high_freq_factor');
	const original = scaling.int('original_max_position_embeddings');
	if (!(high > low)) throw scaling.invalid('high_freq_factor', 'a number above low_freq_factor');
	return frequency => {
		const wavelength = (2 * PI) / frequency;
		const smooth = (original / wavelength - low) / (high - low);
		const kept = min(max(smooth, 0), 1);
		return (1 - kept) * (frequency / factor) + kept * frequency;
	};
}

type Yarn = {base: number; dim: number; factor: number; scaling: ConfigReader; json: ConfigReader};

function yarn(plain: readonly number[], {base, dim, factor, scaling, json}: Yarn): RopeConfig {
	const original = scaling.optionalInt('original_max_position_embeddings') ?? json.int('max_position_embeddings');
	/** The pair that turns this often within the original context. */
	const pairTurning = (turns: number) => (dim * log(original / (turns * 2 * PI))) / (2 * log(base));
	const low = max(floor(pairTurning(scaling.number('beta_fast', 32))), 0);
	const high = min(ceil(pairTurning(scaling.number('beta_slow', 1))), dim - 1);

	const frequencies = plain.map((frequency, i) => {
		const stretched = min(max((i - low) / max(high - low, 0.001), 0), 1);
		return stretched * (frequency / factor) + (1 - stretched) * frequency;
	});
	return rope(frequencies, scaling.optionalNumber('attention_factor') ?? attentionFactor(scaling, factor));
}

/** YaRN sharpens attention with the length; DeepSeek's `mscale` fields change by how much. */
function attentionFactor(scaling: ConfigReader, factor: number): number {
	const at = (mscale: number) => (factor > 1 ? 0.1 * mscale * log(factor) + 1 : 1);
	const mscale = scaling.optionalNumber('mscale');
	const allDim = scaling.optionalNumber('mscale_all_dim');
	return mscale && allDim ? at(mscale) / at(allDim) : at(1);
}
