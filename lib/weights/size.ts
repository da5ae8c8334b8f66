import type {WeightSource} from '../native/index.js';

/** Bytes a weight takes in its file, the tables of its groups and its order included. */
export function sourceBytes(source: WeightSource): number {
	if (source.format === 'float') return source.data.length;
	const {words, scales, permutation, groups} = source;
	const order = permutation?.byteLength ?? 0;
	if (scales.kind === 'gptq') return words.length + scales.data.length + scales.zeros.length + order;
	// `q_groups` is a pair of 16-bit numbers per group, as `groups` is one of 32-bit numbers.
	return words.length + scales.codes.length + scales.max.byteLength + groups.byteLength / 2 + order;
}
