import {record, type Value, type Weight} from '../program/index.js';

/**
Shifts and scales each row (the last dimension) of `x` to a mean of zero and a variance of one, then multiplies it by
`weight` and adds `bias` (Ba et al., arXiv:1607.06450).

@param weight As long as a row.
@param bias As long as a row.
@param eps Added to the variance before the root is taken.
@returns The shape of `x`.
@throws {ExlError} `EXL_SHAPE_MISMATCH` if `weight` or `bias` is not as long as a row of `x`.
*/
export function layerNorm(
	x: Value,
	{weight, bias}: {weight: Weight; bias?: Weight | undefined},
	{eps}: {readonly eps: number},
): Value {
	return record('layer_norm', {x, weight, bias}, {eps});
}
