import {attention, cacheWrite} from '../../lib/ops/index.js';
import {type Case, conformance} from './harness.js';
import {normal, ulp16, ulp32} from './inputs.js';

type Shape = {
	heads: number;
	keyHeads: number;
	dim: number;
	/** Tokens of each sequence; the rows of a step, one sequence after another. */
	lengths: readonly number[];
	window?: number;
	softcap?: number;
};

function attentionCase({heads, keyHeads, dim, lengths, window = 0, softcap = 0}: Shape): Case {
	const rows = lengths.reduce((a, b) => a + b, 0);
	const pagesEach = Math.max(...lengths.map(length => Math.ceil(length / 256)));
	const pages = pagesEach * lengths.length;
	const options = {half: true};
	const [q, k, v] = [
		normal([rows, heads, dim], 1, options),
		normal([rows, keyHeads, dim], 2, options),
		normal([rows, keyHeads, dim], 3, options),
	];
	const scale = dim ** -0.5;
	// A score is a sum of dim products; its error moves a weight by as much, relatively, and a mix by twice that.
	const norm = (values: Float64Array) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / rows);
	const score = (dim + 4) * ulp32 * scale * norm(q.values) * norm(k.values);
	const longest = Math.max(...lengths);
	return {
		rows,
		tensors: {q, k, v},
		cache: {keyHeads, headDim: dim, pages},
		slots: {
			positions: Int32Array.from(lengths.flatMap(length => Array.from({length}, (_, i) => i))),
			sequences: Int32Array.from(lengths.flatMap((length, s) => new Array<number>(length).fill(s))),
			// Pages in reverse, so that no sequence is one run of memory.
			pages: Int32Array.from({length: pages}, (_, i) => pages - 1 - i),
		},
		sequences: lengths.length,
		record: ({tensor, cache}) => {
			cacheWrite(tensor('k'), tensor('v'), cache);
			return attention(tensor('q'), cache, {scale, window, softcap});
		},
		tolerance: () => 4 * (2 * score + 4e-7 + (longest / 16 + 20) * ulp32),
		// Probabilities become halves before they are multiplied; those of a row sum to one.
		toleranceOfHalves: ulp16 * v.values.reduce((most, x) => Math.max(most, Math.abs(x)), 0),
	};
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
