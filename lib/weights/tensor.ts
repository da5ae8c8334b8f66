import {ExlError} from '../errors/index.js';
import {type FloatType, plainSource, type WeightPiece, type WeightSource} from '../native/index.js';
import {describeList} from './json.js';
import type {TensorEntry} from './safetensors.js';

/** What every format asks of a tensor. All names in errors are the tensor's own. */

/** A whole tensor, as a piece of a weight. Its type has been checked. */
export function pieceOf({dtype, shape, file, offset, length}: TensorEntry): WeightPiece {
	return {dtype: dtype as WeightPiece['dtype'], shape, data: {file, offset, length}};
}

/** @throws {ExlError} `EXL_FORMAT_INVALID` if the tensor is of another type. */
export function expectType(entry: TensorEntry, dtype: string): void {
	if (entry.dtype !== dtype) {
		const message = `${entry.name} is ${entry.dtype}, expected ${dtype} (${entry.file})`;
		throw new ExlError('EXL_FORMAT_INVALID', message, {op: entry.name});
	}
}

/** @throws {ExlError} `EXL_FORMAT_UNSUPPORTED` if the tensor is not of a type kernels compute with. */
export function floatType({name, dtype, file}: TensorEntry): FloatType {
	if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return dtype;
	throw new ExlError('EXL_FORMAT_UNSUPPORTED', `${name} is ${dtype}, expected F32, F16 or BF16 (${file})`, {op: name});
}

/** @throws {ExlError} `EXL_SHAPE_MISMATCH` if the tensor has none of `shapes`. */
export function expectShape(entry: TensorEntry, ...shapes: (readonly number[])[]): void {
	const fits = shapes.some(shape => shape.length === entry.shape.length && shape.every((n, i) => n === entry.shape[i]));
	if (!fits) throw shapeMismatch(entry, shapes.map(describeList).join(' or '));
}

/** @throws {ExlError} `EXL_SHAPE_MISMATCH` if the tensor is not a matrix, or an empty one. */
export function matrixShape(entry: TensorEntry): readonly [rows: number, columns: number] {
	const [rows, columns, ...rest] = entry.shape;
	if (!rows || !columns || rest.length > 0) throw shapeMismatch(entry, 'a matrix');
	return [rows, columns];
}

export function shapeMismatch({name, shape, file}: TensorEntry, expected: string): ExlError {
	const message = `${name} is ${describeList(shape)}, expected ${expected} (${file})`;
	return new ExlError('EXL_SHAPE_MISMATCH', message, {op: name});
}

export function broken({name, file}: TensorEntry, problem: string): ExlError {
	return new ExlError('EXL_FORMAT_INVALID', `${name} ${problem} (${file})`, {op: name});
}

/** A copy, because a typed array must start at a multiple of its element. */
export function int32s(bytes: Buffer): Int32Array {
	return new Int32Array(copyOf(bytes));
}

export function uint16s(bytes: Buffer): Uint16Array {
	return new Uint16Array(copyOf(bytes));
}

function copyOf(bytes: Buffer): ArrayBuffer {
	return new Uint8Array(bytes).buffer;
}

/** @throws {ExlError} `EXL_FORMAT_UNSUPPORTED` for its type, `EXL_SHAPE_MISMATCH` if it has none of `shapes`. */
export function floatTensor(entry: TensorEntry, ...shapes: (readonly number[])[]): WeightSource {
	floatType(entry);
	expectShape(entry, ...shapes);
	return plainSource(pieceOf(entry));
}
