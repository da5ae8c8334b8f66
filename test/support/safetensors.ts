import {writeFile} from 'node:fs/promises';
import type {TensorEntry} from '../../lib/weights/safetensors.js';
import {WeightFiles} from '../../lib/weights/weight-files.js';

export type Tensor = {readonly dtype: string; readonly shape: readonly number[]; readonly data: Uint8Array};
export type Tensors = ReadonlyMap<string, Tensor>;

/** A tensor of the bytes `values` has in memory. */
export function tensor(dtype: string, shape: readonly number[], values: ArrayBufferView): Tensor {
	return {dtype, shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength)};
}

/** A safetensors file, its data in the order of `tensors` and without gaps. */
export function encodeSafetensors(tensors: Tensors, metadata?: Record<string, string>): Buffer {
	const header: Record<string, unknown> = metadata ? {__metadata__: metadata} : {};
	let end = 0;
	for (const [name, {dtype, shape, data}] of tensors) {
		header[name] = {dtype, shape, data_offsets: [end, end + data.length]};
		end += data.length;
	}
	return frame(
		JSON.stringify(header),
		[...tensors.values()].map(({data}) => data),
	);
}

/** A file with this header, whatever it says, in front of these data. */
export function frame(header: string | Uint8Array, data: readonly Uint8Array[] = []): Buffer {
	const json = Buffer.from(header as string);
	const prefix = Buffer.alloc(8);
	prefix.writeBigUInt64LE(BigInt(json.length));
	return Buffer.concat([prefix, json, ...data]);
}

export async function writeSafetensors(file: string, tensors: Tensors, metadata?: Record<string, string>) {
	await writeFile(file, encodeSafetensors(tensors, metadata));
}

/** Tensors as a model directory would hold them, without a file. Nothing about them is checked. */
export function inMemory(tensors: Tensors): WeightFiles {
	const entries = new Map<string, TensorEntry>();
	const bytes = new Map<number, Uint8Array>();
	let offset = 0;
	for (const [name, {dtype, shape, data}] of tensors) {
		entries.set(name, {name, dtype, shape, file: 'memory', offset, length: data.length});
		bytes.set(offset, data);
		offset += data.length + 1;
	}
	return new WeightFiles(entries, async entry => Buffer.from(bytes.get(entry.offset)!));
}
