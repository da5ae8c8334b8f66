import {readFileSync} from 'node:fs';
import type {Bytes, WeightPiece, WeightSource} from '../../lib/native/index.js';
import {bfloatToNumber, halfToNumber, roundToHalf} from '../../lib/weights/half.js';

/** The bytes a source points to. */
export function readBytes(bytes: Bytes): Uint8Array {
	if (!('file' in bytes)) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength).slice();
	return Uint8Array.from(readFileSync(bytes.file).subarray(bytes.offset, bytes.offset + bytes.length));
}

export function readFloats({dtype, data}: WeightPiece): Float64Array {
	const {buffer} = readBytes(data);
	if (dtype === 'F32') return Float64Array.from(new Float32Array(buffer));
	return Float64Array.from(new Uint16Array(buffer), dtype === 'F16' ? halfToNumber : bfloatToNumber);
}

/** Of a piece of whole numbers; nothing if the weight has no such piece. */
export function readInts(source: WeightSource, piece: string): Int32Array | undefined {
	const found = source.pieces[piece];
	return found && new Int32Array(readBytes(found.data).buffer);
}

/** The weights `[inFeatures, outFeatures]` a source stands for, in the order of the input features. */
export function dequantize(source: WeightSource): Float64Array {
	return source.format === 'float' ? transpose(source) : dequantizeCodes(source);
}

function transpose(source: WeightSource): Float64Array {
	const [rows, columns] = source.shape as [number, number];
	const values = readFloats(source.pieces['data']!);
	return Float64Array.from({length: rows * columns}, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** Nothing but what the formats declare is used, so this is also a check of the pieces. */
function dequantizeCodes(source: WeightSource): Float64Array {
	const [outFeatures, inFeatures] = source.shape as [number, number];
	const groups = readInts(source, 'groups')!;
	const order = readInts(source, 'order');
	const permutation = order ?? readInts(source, 'permutation');
	const words = new Uint32Array(readBytes(source.pieces['codes']!.data).buffer);
	const {zeroOf, scaleOf} = scalesOf(source, outFeatures);
	const weights = new Float64Array(inFeatures * outFeatures);

	let row = 0;
	let position = 0;
	for (let group = 0; group < groups.length / 2; group++) {
		const bits = groups[group * 2]!;
		for (const end = row + groups[group * 2 + 1]!; row < end; row++, position += bits) {
			const start = order ? order[row]! * bits : position;
			const feature = permutation?.[row] ?? row;
			for (let column = 0; column < outFeatures; column++) {
				const code = bitsAt(words, outFeatures, column, start, bits);
				const scale = scaleOf(group, column);
				weights[feature * outFeatures + column] = roundToHalf((code - zeroOf(group, column, bits)) * scale);
			}
		}
	}
	return weights;
}

function scalesOf({format, pieces, numbers}: WeightSource, outFeatures: number) {
	if (format === 'exl2') {
		const codes = new Uint32Array(readBytes(pieces['scales']!.data).buffer);
		const maxima = new Uint16Array(readBytes(pieces['maxima']!.data).buffer);
		return {
			zeroOf: (_group: number, _column: number, bits: number) => 2 ** (bits - 1),
			scaleOf: (group: number, column: number) => {
				const max = roundToHalf(halfToNumber(maxima[group]!) / 256);
				return roundToHalf((nibbleAt(codes, group * outFeatures + column) + 1) ** 2 * max);
			},
		};
	}
	const zeros = new Uint32Array(readBytes(pieces['zeros']!.data).buffer);
	const values = readFloats(pieces['scales']!);
	return {
		zeroOf: (group: number, column: number) => nibbleAt(zeros, group * outFeatures + column) + numbers!['zeroOffset']!,
		scaleOf: (group: number, column: number) => roundToHalf(values[group * outFeatures + column]!),
	};
}

function nibbleAt(words: Uint32Array, i: number): number {
	return (words[i >> 3]! >>> (4 * (i % 8))) & 15;
}

function bitsAt(words: Uint32Array, columns: number, column: number, start: number, bits: number): number {
	let code = 0;
	for (let bit = 0; bit < bits; bit++) {
		const at = start + bit;
		code |= ((words[Math.floor(at / 32) * columns + column]! >>> (at % 32)) & 1) << bit;
	}
	return code;
}
