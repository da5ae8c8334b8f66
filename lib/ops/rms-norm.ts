import {record, type Value, type Weight} from '../program/index.js';

export type RmsNormOptions = {
	/** Added to the mean square before the root is taken. */
	readonly eps: number;

	/** Added to every weight: some checkpoints store `w - 1`. @default 0 */
	readonly offset?: number;
};

/**
Scales each row (the last dimension) of `x` to a root mean square of one, then multiplies it by `weight`.

@param weight As long as a row, or `[heads, row]` with one weight per head.
@returns The shape of `x`.
@throws {ExlError} `EXL_SHAPE_MISMATCH` if `weight` is not as long as a row of `x`.
*/
export function rmsNorm(x: Value, weight: Weight, {eps, offset = 0}: RmsNormOptions): Value {
	return record('rms_norm', {x, weight}, {eps, offset});
}
