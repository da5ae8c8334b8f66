import * as v from 'valibot';
import {numberWhere, optionsOf, trueOrFalse} from '../options/index.js';

/** How far the draw strays from the most probable token. */
export type TemperatureOptions = {
	/** Divides the logits. 0 always takes the most probable token (greedy). @default 0.8 */
	readonly temperature?: number | undefined;

	/** Applies `temperature` after the truncations (top-p, min-p, ...) rather than before. @default false */
	readonly temperatureLast?: boolean | undefined;

	/**
	Takes a temperature from `min` to `max` after the truncations: `min + (max - min) * (H / ln n) ** exponent`, where `H` is
	the entropy of the `n` tokens left. `temperature` still applies before them, unless `temperatureLast`: this replaces it.
	@default off; `exponent` 1
	*/
	readonly dynamicTemperature?:
		| {readonly min: number; readonly max: number; readonly exponent?: number | undefined}
		| undefined;

	/** Quadratic smoothing: replaces each logit by `-factor * (logit - largest) ** 2`; at least 0. @default 0, off */
	readonly smoothingFactor?: number | undefined;

	/**
	Raises the random number of each draw to the power `exp(-skew)`: above 0 less probable tokens are drawn more often,
	below 0 less often.
	@default 0, off
	*/
	readonly skew?: number | undefined;
};

const notNegative = numberWhere('a number of at least 0', n => n >= 0);

export const temperatureEntries = {
	temperature: v.optional(notNegative, 0.8),
	temperatureLast: v.optional(trueOrFalse, false),
	dynamicTemperature: v.optional(
		optionsOf({
			min: notNegative,
			max: numberWhere('a number above 0', n => n > 0),
			exponent: v.optional(notNegative, 1),
		}),
	),
	smoothingFactor: v.optional(notNegative, 0),
	skew: v.optional(numberWhere('a number'), 0),
};
