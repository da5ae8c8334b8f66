import {ExlError} from '../../errors/index.js';
import type {ConfigReader} from '../../weights/index.js';
import {factorOf, type RopeSettings, readRopeSettings} from './rope-settings.js';

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
@throws {ExlError} `EXL_MODEL_UNSUPPORTED` for another kind of scaling, or one for each kind of layer.
*/
export function readRope(json: ConfigReader, headDim: number, part = 1): RopeConfig {
	const [first, ...others] = readRopeSettings(json, part).map(settings => ropeOf(settings, json, headDim));
	for (const other of others) {
		if (other.scale === first!.scale && isEqual(other.frequencies, first!.frequencies)) continue;
		const message = `${json.file}: rope_parameters that differ between kinds of layers are not implemented`;
		throw new ExlError('EXL_MODEL_UNSUPPORTED', message);
	}
	return first!;
}

function ropeOf(settings: RopeSettings, json: ConfigReader, headDim: number): RopeConfig {
	const {kind, base, part, scaling} = settings;
	const dim = 2 * floor((headDim * part) / 2);
	if (dim < 2) throw json.invalid('partial_rotary_factor', `a number that leaves 2 of ${headDim} elements`);

	const plain = Array.from({length: dim / 2}, (_, i) => base ** ((-2 * i) / dim));
	switch (kind) {
		case 'default':
			return rope(plain);
		case 'linear': {
			const factor = factorOf(settings, json);
			return rope(plain.map(f => f / factor));
		}
		case 'llama3':
			return rope(plain.map(llama3(scaling, factorOf(settings, json))));
		case 'yarn':
			return yarn(plain, dim, settings, factorOf(settings, json));
		default:
			throw new ExlError('EXL_MODEL_UNSUPPORTED', `${json.file}: rope scaling ${kind} is not implemented`);
	}
}

function isEqual(a: Float32Array, b: Float32Array): boolean {
	return a.length === b.length && a.every((value, i) => value === b[i]);
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

function yarn(plain: readonly number[], dim: number, settings: RopeSettings, factor: number): RopeConfig {
	const {base, scaling, originalTokens} = settings;
	const original = originalTokens();
	/** The pair that turns this often within the original context. */
	const pairTurning = (turns: number) => (dim * log(original / (turns * 2 * PI))) / (2 * log(base));
	const whole = scaling.bool('truncate', true);
	const fast = pairTurning(scaling.number('beta_fast', 32));
	const slow = pairTurning(scaling.number('beta_slow', 1));
	const low = max(whole ? floor(fast) : fast, 0);
	const high = min(whole ? ceil(slow) : slow, dim - 1);

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
