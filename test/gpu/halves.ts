/**
The standard deviation of logits, as a fraction of their size, on a device that rounds everything to halves.

A half is off by up to 2^-11 of its value, evenly: a standard deviation of 2^-11 / sqrt(3). From a token to its logits
there are in a row, in each layer: norm, projection, rotation, attention, projection, sum, norm, two projections, their
product, projection, sum; before and after the layers embedding, norm and head. What these leave behind is independent,
and the norms keep its size. The emulator has 0.3 to 0.7 of it.
*/
export function errorOfHalves(layers: number): number {
	return Math.sqrt(12 * layers + 3) * (2 ** -11 / Math.sqrt(3));
}
