import type {WireShape} from '../native/index.js';

/** A size, or one of the two that are known only when a step runs: its tokens, and the tokens whose logits it wants. */
export type Dim = number | 'rows' | 'outputs';

export type Shape = readonly Dim[];

export function toWire(shape: Shape): WireShape {
	return shape.map(dim => (dim === 'rows' ? -1 : dim === 'outputs' ? -2 : dim));
}

export function fromWire(shape: WireShape): Shape {
	return shape.map(dim => (dim === -1 ? 'rows' : dim === -2 ? 'outputs' : dim));
}

/** `[rows, 8, 64]` */
export function shapeText(shape: Shape): string {
	return `[${shape.join(', ')}]`;
}

/** The elements of one row. */
export function width(shape: Shape): number {
	return shape.reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : product), 1);
}
