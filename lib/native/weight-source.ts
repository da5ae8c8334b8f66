/**
What the native loader is told about one weight. Nothing here knows a file format: `lib/weights` checks a file's
rules and translates them; `native/quant/source.h` holds the same shapes on the other side.
*/

/** A run of bytes: a piece of a file, read while loading, or memory of the caller. */
export type Bytes = {readonly file: string; readonly offset: number; readonly length: number} | Uint8Array;

export type FloatType = 'F32' | 'F16' | 'BF16';

/** A plain tensor, row-major. A linear weight is `[outFeatures, inFeatures]`. */
export type FloatSource = {
	readonly format: 'float';
	readonly dtype: FloatType;
	readonly shape: readonly number[];
	readonly data: Bytes;
};

/**
A quantised matrix `[inFeatures, outFeatures]`, in the terms EXL2 and GPTQ share.

The rows are taken in *packed order*: group after group. `W[p, n] = (code[p, n] - zero) * scale[group(p), n]`,
and packed row `p` multiplies input feature `permutation[p]`.
*/
export type QuantSource = {
	readonly format: 'exl2' | 'gptq';
	readonly inFeatures: number;
	readonly outFeatures: number;

	/** Pairs (bits, rows) per group, in packed order. The rows sum to `inFeatures`. */
	readonly groups: Int32Array;

	/** Input feature of each packed row; absent if it is the identity. */
	readonly permutation?: Int32Array;

	/**
	Row of `words` each packed row is stored in; absent if it is the identity. Only GPTQ (where every row has 4 bits)
	sorts its rows while loading.
	*/
	readonly storedRows?: Int32Array;

	/**
	`uint32 [qrows, outFeatures]`: per column one LSB-first stream of codes running down the rows. Groups of EXL2 begin
	on a word; rows of GPTQ follow each other, eight to a word.
	*/
	readonly words: Bytes;

	readonly scales:
		| {
				/** EXL2: `scale = fp16((nibble + 1)^2 * fp16(max / 256))`, nibbles as `uint32 [groups, outFeatures / 8]`. */
				readonly kind: 'exl2';
				readonly codes: Bytes;
				/** Bits of one half per group. */
				readonly max: Uint16Array;
		  }
		| {
				/** GPTQ: `[groups, outFeatures]` scales, and zero points as nibbles `uint32 [groups, outFeatures / 8]`. */
				readonly kind: 'gptq';
				readonly dtype: FloatType;
				readonly data: Bytes;
				readonly zeros: Bytes;
				/** Added to every stored zero point: 1, or 0 for `checkpoint_format: gptq_v2`. */
				readonly zeroOffset: 0 | 1;
		  };
};

export type WeightSource = FloatSource | QuantSource;
