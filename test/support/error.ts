export function rootMeanSquare(values: ArrayLike<number>): number {
	let sum = 0;
	for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
	return Math.sqrt(sum / values.length);
}

/** `||a - b|| / ||b||`; NaN if they are not of one length. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
	if (a.length !== b.length) return Number.NaN;
	return rootMeanSquare(Array.from(b, (value, i) => value - a[i]!)) / rootMeanSquare(b);
}
