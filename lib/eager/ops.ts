import * as v from 'valibot';
import {ExlError} from '../errors/index.js';
import {Device} from '../memory/index.js';
import {type AttentionOptions, linear, attention as recordAttention} from '../ops/index.js';
import {integer, numberWhere, optionsOf, parseOptions} from '../options/index.js';
import type {Recorder} from '../program/index.js';
import type {KvCache} from './kv-cache.js';
import type {QuantMatrix} from './quant-matrix.js';
import {runOnce} from './run.js';
import type {Tensor} from './tensor.js';

/**
`x . W` with a quantised (or plain) weight.

@param x `[..., inFeatures]`
@returns `[..., outFeatures]`; dispose of it.
@throws {ExlError} `EXL_SHAPE_MISMATCH`, `EXL_INVALID_ARGUMENT` if the two are on different devices.
*/
export function quantMatmul(x: Tensor, matrix: QuantMatrix): Promise<Tensor> {
	return on([x, matrix], async device => {
		const {weight, store} = matrix.operand;
		const record = (recorder: Recorder) => linear(x.operand(recorder), {weight});
		return (await runOnce({device, weights: store, record}))!;
	});
}

const attentionOptions = optionsOf({
	scale: v.optional(numberWhere('a number')),
	window: v.optional(integer(0, 2 ** 31 - 1), 0),
	softcap: v.optional(
		numberWhere('a number of at least 0', n => n >= 0),
		0,
	),
});

/**
Causal attention of the last tokens of a cache over all of it.

@param q `[rows, heads, headDim]`, already rotated: the queries of the last `rows` tokens that were appended.
@param options `scale` is `headDim ** -0.5` by default.
@returns The shape of `q`; dispose of it.
@throws {ExlError} `EXL_SHAPE_MISMATCH`, `EXL_INVALID_ARGUMENT` if there are more queries than tokens.
*/
export function attention(q: Tensor, cache: KvCache, options: Partial<AttentionOptions> = {}): Promise<Tensor> {
	return on([q, cache], async device => {
		const given = parseOptions(attentionOptions, options, 'ops.attention()');
		const rows = q.shape[0]!;
		if (rows > cache.length) {
			const message = `${rows} queries need as many tokens in the cache, which has ${cache.length}`;
			throw new ExlError('EXL_INVALID_ARGUMENT', message);
		}
		const record = (recorder: Recorder) =>
			recordAttention(q.operand(recorder), cache.layer, {...given, scale: given.scale ?? cache.headDim ** -0.5});
		const slots = cache.slots(rows, cache.length - rows);
		return (await runOnce({device, cache: cache.operand, rows, slots, record}))!;
	});
}

/** Runs with the device all of them are on. */
async function on<T>(
	[first, second]: readonly [{device: Device['kind']}, {device: Device['kind']}],
	run: (device: Device) => Promise<T>,
): Promise<T> {
	if (first.device !== second.device) {
		const message = `one operand is on ${first.device}, the other on ${second.device}`;
		throw new ExlError('EXL_INVALID_ARGUMENT', message);
	}
	const device = Device.acquire(first.device);
	try {
		return await run(device);
	} finally {
		await device.release();
	}
}
