export type Random = {
	/** Uniform in [0, 1). */
	next(): number;
	/** Uniform in 0..limit - 1. */
	int(limit: number): number;
	pick<T>(values: readonly T[]): T;
	/** A random order of 0..length - 1. */
	permutation(length: number): Int32Array;
};

/** The same numbers for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
	let state = seed | 0;

	function next(): number {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	}

	function int(limit: number): number {
		return Math.floor(next() * limit);
	}

	function permutation(length: number): Int32Array {
		const order = Int32Array.from({length}, (_, i) => i);
		for (let i = length - 1; i > 0; i--) {
			const other = int(i + 1);
			const held = order[i]!;
			order[i] = order[other]!;
			order[other] = held;
		}
		return order;
	}

	return {next, int, pick: values => values[int(values.length)]!, permutation};
}
