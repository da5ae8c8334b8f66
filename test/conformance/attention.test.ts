import {attention, cacheWrite} from '../../lib/ops/index.js';
import {type CacheTypeName, cacheTypes} from '../../lib/options/index.js';
import {type Array64, type Case, conformance} from './harness.js';
import {normal, range, ulp16, ulp32} from './inputs.js';

type Shape = {
	heads: number;
	keyHeads: number;
	dim: number;
	/** Tokens of each sequence; the rows of a step, one sequence after another. */
	lengths: readonly number[];
	window?: number;
	softcap?: number;
	type?: CacheTypeName;
};

function attentionCase({heads, keyHeads, dim, lengths, window = 0, softcap = 0, type = 'fp16'}: Shape): Case {
	const rows = lengths.reduce((a, b) => a + b, 0);
	const pagesEach = Math.max(...lengths.map(length => Math.ceil(length / 256)));
	const pages = pagesEach * lengths.length;
	const isQuantised = type.startsWith('q');
	// Halves are what an fp16 cache holds. Rotating multiples of 2^-6, 32 at most, is exact in fp32: both backends then
	// store the same codes, and what is compared is attention alone.
	const options = isQuantised ? {step: 2 ** -6} : {half: true};
	const [q, k, v] = [
		normal([rows, heads, dim], 1, options),
		normal([rows, keyHeads, dim], 2, options),
		normal([rows, keyHeads, dim], 3, options),
	];
	const scale = dim ** -0.5;
	const group = isQuantised ? Math.min(32, dim & -dim) : 1;
	// Roundings are independent: six standard deviations of their sum, each uniform within half a unit.
	const roundings = (count: number) => 6 * Math.sqrt(count / 3) * ulp32;
	// A score is a sum of dim products, a group's scaled at its end; its error moves a weight by as much, relatively, and
	// a mix by twice that. It is about |q| |k| / sqrt(dim), which rotations leave as it is.
	const square = ({shape, values}: Array64) => values.reduce((sum, x) => sum + x * x, 0) / size(shape);
	const score = roundings(dim + (2 * dim) / group + 4) * scale * Math.sqrt(dim * square(q) * square(k));
	// Of weights and of values; the mix is rotated back in as many stages as a group has doublings.
	const mix = roundings(2 * Math.max(...lengths) + 20 + Math.log2(group));
	const largest = v.values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
	return {
		rows,
		tensors: {q, k, v},
		cache: {keyHeads, headDim: dim, pages, type},
		slots: {
			positions: Int32Array.from(lengths.flatMap(length => [...range(length)])),
			sequences: Int32Array.from(lengths.flatMap((length, s) => new Array<number>(length).fill(s))),
			pages: shuffled(pages),
		},
		sequences: lengths.length,
		record: ({tensor, cache}) => {
			cacheWrite(tensor('k'), tensor('v'), cache);
			return attention(tensor('q'), cache, {scale, window, softcap});
		},
		// Its groups are always of 32.
		...(type !== 'fp16' && dim % 32 > 0 && {refusedByCuda: /groups of (?:8|16) elements|heads of \d+, not/}),
		// exp is good to 2e-7, in the weight and in their sum.
		tolerance: () => largest * (2 * score + 4e-7 + mix),
		// Probabilities become halves before they are multiplied; those of a row sum to one.
		toleranceOfHalves: ulp16 * largest,
	};
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** No sequence is one run of memory. */
function shuffled(pages: number): Int32Array {
	return range(pages).map(page => (page % 2 ? page >> 1 : pages - 1 - (page >> 1)));
}

conformance('attention', {
	'one token': () => attentionCase({heads: 4, keyHeads: 4, dim: 64, lengths: [1]}),
	'one short sequence': () => attentionCase({heads: 4, keyHeads: 4, dim: 64, lengths: [17]}),
	'grouped heads': () => attentionCase({heads: 8, keyHeads: 2, dim: 32, lengths: [70]}),
	'one key head for all': () => attentionCase({heads: 6, keyHeads: 1, dim: 48, lengths: [33]}),
	'more heads per key head than a block': () => attentionCase({heads: 70, keyHeads: 1, dim: 16, lengths: [5]}),
	'heads of 8': () => attentionCase({heads: 2, keyHeads: 1, dim: 8, lengths: [20]}),
	'heads of 1': () => attentionCase({heads: 2, keyHeads: 2, dim: 1, lengths: [20]}),
	'heads of 40': () => attentionCase({heads: 2, keyHeads: 1, dim: 40, lengths: [100]}),
	'heads of 256': () => attentionCase({heads: 2, keyHeads: 1, dim: 256, lengths: [40]}),
	'across pages': () => attentionCase({heads: 2, keyHeads: 1, dim: 16, lengths: [600]}),
	'many sequences of different lengths': () =>
		attentionCase({heads: 4, keyHeads: 2, dim: 24, lengths: [1, 300, 17, 64, 65, 2]}),
	'a window': () => attentionCase({heads: 2, keyHeads: 1, dim: 32, lengths: [200], window: 33}),
	'a window of one': () => attentionCase({heads: 2, keyHeads: 1, dim: 32, lengths: [70], window: 1}),
	'a window over pages': () => attentionCase({heads: 2, keyHeads: 2, dim: 16, lengths: [520], window: 250}),
	'a softcap': () => attentionCase({heads: 2, keyHeads: 1, dim: 32, lengths: [90], softcap: 3}),
});

// Groups of 8, 16 and 32; heads that are one group or several, and as many vectors as are mixed at once, one more, fewer.
const quantised: Readonly<Record<string, Omit<Shape, 'type'>>> = {
	'one token': {heads: 4, keyHeads: 4, dim: 64, lengths: [1]},
	'heads of 8': {heads: 2, keyHeads: 1, dim: 8, lengths: [20]},
	'heads of 16, one query each': {heads: 4, keyHeads: 4, dim: 16, lengths: [70]},
	'heads of 40': {heads: 6, keyHeads: 2, dim: 40, lengths: [33]},
	'heads of 80': {heads: 5, keyHeads: 1, dim: 80, lengths: [66]},
	'heads of 128': {heads: 8, keyHeads: 2, dim: 128, lengths: [40]},
	'heads of 256': {heads: 2, keyHeads: 2, dim: 256, lengths: [20]},
	'many sequences of different lengths': {heads: 4, keyHeads: 2, dim: 16, lengths: [1, 300, 17, 64, 65, 2]},
	'a window over pages': {heads: 2, keyHeads: 2, dim: 32, lengths: [520], window: 250},
	'a softcap': {heads: 2, keyHeads: 1, dim: 32, lengths: [90], softcap: 3},
};

for (const type of cacheTypes.filter(name => name !== 'fp16')) {
	const cases = Object.entries(quantised).map(([name, shape]) => [name, () => attentionCase({...shape, type})]);
	conformance(`attention, ${type} cache`, Object.fromEntries(cases));
}

// What halves can hold and bytes cannot.
conformance('fp8 rounds and saturates', {
	'halves of every size, infinity and beyond': () => {
		const tokens = 256;
		const values = Float64Array.from(range(tokens * 8), i => {
			const size = 2 ** ((i % 36) - 19) * (1 + ((i * 37) % 256) / 256);
			return i % 2 ? -size : size;
		});
		values[3] = Number.POSITIVE_INFINITY;
		values[5] = -1e30;
		const zeros = new Float64Array(tokens * 8);
		return {
			rows: tokens,
			tensors: {q: {shape: [tokens, 1, 8], values: zeros}, v: {shape: [tokens, 1, 8], values}},
			cache: {keyHeads: 1, headDim: 8, pages: 1, type: 'fp8'},
			slots: {positions: range(tokens), sequences: new Int32Array(tokens), pages: range(1)},
			record: ({tensor, cache}) => {
				cacheWrite(tensor('q'), tensor('v'), cache);
				// A window of one token: each row is its own value, read back.
				return attention(tensor('q'), cache, {scale: 1, window: 1});
			},
			refusedByCuda: /heads of 8, not a multiple of 32/,
			tolerance: () => Number.MIN_VALUE,
		};
	},
});
