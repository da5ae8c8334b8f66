import {record, type Value, type Weight} from '../program/index.js';

/**
`x . weight^T + bias`, whatever format the weight is stored in.

@param x `[..., in]`
@param weight `[out, in]`
@param bias `[out]`
@returns `[..., out]`
@throws {ExlError} `EXL_SHAPE_MISMATCH`.
*/
export function linear(x: Value, {weight, bias}: {weight: Weight; bias?: Weight | undefined}): Value {
	return record('linear', {x, weight, bias});
}
