import {type FloatType, plainSource, type WeightSource} from '../../lib/native/index.js';
import {bfloatToNumber, halfToNumber, numberToBfloat, numberToHalf, roundToHalf} from '../../lib/weights/half.js';
import {linearSource} from '../../lib/weights/index.js';
import type {Packed} from '../support/quantize.js';
import {seededRandom} from '../support/random.js';
import {inMemory} from '../support/safetensors.js';
import type {Array64} from './harness.js';

/** Half of the distance from 1 to the next fp32. */
export const ulp32 = 2 ** -24;
/** The same for halves. */
export const ulp16 = 2 ** -11;

/** Standard normal numbers as fp32; rounded to halves, so that a backend that stores halves loses nothing; or to steps. */
export function normal(shape: readonly number[], seed: number, {half = false, step = 0, scale = 1} = {}): Array64 {
	const random = seededRandom(seed);
	const count = shape.reduce((a, b) => a * b, 1);
	const round = step ? (x: number) => step * Math.round(x / step) : half ? roundToHalf : Math.fround;
	const gauss = () => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
	return {shape, values: Float64Array.from({length: count}, () => round(gauss() * scale))};
}

const bytesOf = {
	F32: (values: Float64Array) => new Uint8Array(Float32Array.from(values).buffer),
	F16: (values: Float64Array) => new Uint8Array(Uint16Array.from(values, numberToHalf).buffer),
	BF16: (values: Float64Array) => new Uint8Array(Uint16Array.from(values, numberToBfloat).buffer),
};

const rounded = {
	F32: Math.fround,
	F16: (x: number) => halfToNumber(numberToHalf(x)),
	BF16: (x: number) => bfloatToNumber(numberToBfloat(x)),
};

/** A plain weight and the values it really holds. */
export function floatWeight({shape, values}: Array64, dtype: FloatType): {source: WeightSource; values: Float64Array} {
	return {
		source: plainSource({dtype, shape, data: bytesOf[dtype](values)}),
		values: values.map(rounded[dtype]),
	};
}

/** `0, 1, ... count - 1` */
export function range(count: number, from = 0): Int32Array {
	return Int32Array.from({length: count}, (_, i) => from + i);
}

/** The source of a packed matrix, its bytes in memory. */
export async function quantSource(
	{tensors, inFeatures, outFeatures}: Packed,
	version: 1 | 2 = 1,
): Promise<WeightSource> {
	const files = inMemory(tensors);
	const {weight} = await linearSource(files, 'linear', {inFeatures, outFeatures, gptq: {version}});
	const names =
		weight.format === 'exl2'
			? {codes: 'q_weight', scales: 'q_scale'}
			: {codes: 'qweight', scales: 'scales', zeros: 'qzeros'};
	const inBytes = Object.entries(names).map(([piece, name]) => {
		return [piece, {...weight.pieces[piece]!, data: tensors.get(`linear.${name}`)!.data}] as const;
	});
	return {...weight, pieces: {...weight.pieces, ...Object.fromEntries(inBytes)}};
}
