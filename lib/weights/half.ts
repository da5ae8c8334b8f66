/**
The two 16-bit float types as their bits: half has 10 mantissa bits, bfloat16 has 7, and the exponent takes the rest.
Numbers are rounded once, from double, to the nearest value, ties to even, including subnormals.
*/

const halfMantissa = 10;
const bfloatMantissa = 7;

const float = new Float64Array(1);
const word = new Uint32Array(float.buffer);

/** The power of two of a finite positive number's leading bit; -1023 for subnormal doubles. */
function exponentOf(value: number): number {
	float[0] = value;
	return (word[1]! >>> 20) - 1023;
}

function roundToEven(value: number): number {
	const floor = Math.floor(value);
	const rest = value - floor;
	return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

function encode(value: number, mantissa: number): number {
	const bias = 2 ** (14 - mantissa) - 1;
	const infinity = (2 * bias + 1) << mantissa;
	const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
	const size = Math.abs(value);

	if (Number.isNaN(value)) return infinity | (1 << (mantissa - 1));
	if (size === 0 || size === Number.POSITIVE_INFINITY) return sign | (size && infinity);

	// The leading bit of a normal number adds one to the exponent field, and so does a mantissa that rounds up to two.
	const exponent = Math.max(exponentOf(size), 1 - bias);
	const bits = (exponent + bias - 1) * 2 ** mantissa + roundToEven(size * 2 ** (mantissa - exponent));
	return sign | Math.min(bits, infinity);
}

function decode(bits: number, mantissa: number): number {
	const bias = 2 ** (14 - mantissa) - 1;
	const sign = bits & 0x8000 ? -1 : 1;
	const exponent = (bits & 0x7fff) >>> mantissa;
	const fraction = bits & (2 ** mantissa - 1);

	if (exponent === 2 * bias + 1) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
	if (exponent === 0) return sign * fraction * 2 ** (1 - bias - mantissa);
	return sign * (fraction + 2 ** mantissa) * 2 ** (exponent - bias - mantissa);
}

/** Bits of the half nearest to `value`. */
export function numberToHalf(value: number): number {
	return encode(value, halfMantissa);
}

export function halfToNumber(bits: number): number {
	return decode(bits, halfMantissa);
}

/** The half nearest to `value`, as a number. */
export function roundToHalf(value: number): number {
	return halfToNumber(numberToHalf(value));
}

/** Bits of the bfloat16 nearest to `value`. */
export function numberToBfloat(value: number): number {
	return encode(value, bfloatMantissa);
}

export function bfloatToNumber(bits: number): number {
	return decode(bits, bfloatMantissa);
}
