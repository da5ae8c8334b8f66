/**
What the native loader is told about one weight: named pieces, of the types and shapes that its format declares in
`native/formats`. `lib/weights` checks a file's rules and translates them.
*/

/** A run of bytes: a piece of a file, read while loading, or memory of the caller. */
export type Bytes =
	| {readonly file: string; readonly offset: number; readonly length: number}
	| Uint8Array
	| Int32Array
	| Uint16Array;

export type FloatType = 'F32' | 'F16' | 'BF16';

/** A tensor, row-major. */
export type WeightPiece = {
	readonly dtype: FloatType | 'I32';
	readonly shape: readonly number[];
	readonly data: Bytes;
};

export type WeightSource = {
	/** Its name in `native/formats`. */
	readonly format: 'float' | 'exl2' | 'gptq';
	/** `[outFeatures, inFeatures]` of a linear weight; `[size]` of a vector. */
	readonly shape: readonly number[];
	readonly pieces: Readonly<Record<string, WeightPiece>>;
	readonly numbers?: Readonly<Record<string, number>>;
};

/** A weight whose values lie there as they are. */
export function plainSource(data: WeightPiece): WeightSource {
	return {format: 'float', shape: data.shape, pieces: {data}};
}

/** Bytes of all pieces, the tables of groups and orders included. */
export function sourceBytes({pieces}: WeightSource): number {
	const lengths = Object.values(pieces).map(({data}) => ('file' in data ? data.length : data.byteLength));
	return lengths.reduce((sum, length) => sum + length, 0);
}
