import {describe, expect, it} from 'vitest';
import {bfloatToNumber, halfToNumber, numberToBfloat, numberToHalf, roundToHalf} from '../../lib/weights/half.js';
import {seededRandom} from '../support/random.js';

const types = [
	{name: 'half', encode: numberToHalf, decode: halfToNumber, infinity: 0x7c00, least: 2 ** -24, most: 65504},
	{
		name: 'bfloat16',
		encode: numberToBfloat,
		decode: bfloatToNumber,
		infinity: 0x7f80,
		least: 2 ** -133,
		most: 255 * 2 ** 120,
	},
];

describe.each(types)('$name', ({encode, decode, infinity, least, most}) => {
	it('gives back the bits of every value', () => {
		for (let bits = 0; bits < 0x10000; bits++) {
			const value = decode(bits);
			if (Number.isNaN(value)) expect(Number.isNaN(decode(encode(value)))).toBe(true);
			else if (encode(value) !== bits) expect.fail(`${bits} became ${encode(value)}`);
		}
	});

	it('rounds between neighbours to the nearest, and a tie to the even one', () => {
		for (let bits = 0; bits < infinity - 1; bits++) {
			const [low, high] = [decode(bits), decode(bits + 1)];
			const middle = (low + high) / 2;
			const even = bits % 2 === 0 ? bits : bits + 1;
			const step = (high - low) * 1e-6;
			const found = [middle, middle - step, middle + step, -middle].map(encode);
			const wanted = [even, bits, bits + 1, even | 0x8000];
			if (found.some((value, i) => value !== wanted[i])) expect(found, `between ${bits} and its next`).toEqual(wanted);
		}
	});

	it('knows the ends of its range', () => {
		expect(decode(1)).toBe(least);
		expect(encode(least / 2)).toBe(0);
		expect(encode(least * 0.75)).toBe(1);
		expect(encode(-least / 4)).toBe(0x8000);
		expect(decode(infinity - 1)).toBe(most);
		expect(encode(most * (1 + 1e-9))).toBe(infinity - 1);
		expect(encode(most * 1.01)).toBe(infinity);
		expect(encode(-1e300)).toBe(infinity | 0x8000);
		expect(encode(Number.POSITIVE_INFINITY)).toBe(infinity);
		expect(encode(5e-324)).toBe(0);
		expect(decode(encode(Number.NaN))).toBeNaN();
		expect(Object.is(decode(0x8000), -0)).toBe(true);
	});
});

it('rounds once where rounding through a float would round twice', () => {
	const value = 1 + 2 ** -11 + 2 ** -30;
	expect(roundToHalf(Math.fround(value))).toBe(1);
	expect(roundToHalf(value)).toBe(1 + 2 ** -10);
});

it('rounds bfloat16 as dropping half of a float does', () => {
	const random = seededRandom(3);
	const words = new Uint32Array(1);
	const floats = new Float32Array(words.buffer);
	for (let i = 0; i < 20_000; i++) {
		words[0] = random.int(0x7f7f0000);
		const wanted = (words[0] + 0x7fff + ((words[0] >>> 16) & 1)) >>> 16;
		if (numberToBfloat(floats[0]!) !== wanted)
			expect.fail(`${floats[0]} is ${numberToBfloat(floats[0]!)}, not ${wanted}`);
	}
});
