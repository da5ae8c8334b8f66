import {ExlError} from '../errors/index.js';
import {kindBytes, refuseForeignFile} from '../options/file-kind.js';
import {readExactly, withFile} from './file.js';
import {describe, describeList, duplicateName, isObject, maxJsonBytes, parseJsonObject} from './json.js';

/** Where one tensor lies. `dtype` is kept as written: a type that is never used may be one nobody knows. */
export type TensorEntry = {
	readonly name: string;
	readonly dtype: string;
	readonly shape: readonly number[];
	readonly file: string;
	/** Bytes from the start of the file. */
	readonly offset: number;
	/** Bytes. */
	readonly length: number;
};

export type SafetensorsHeader = {
	readonly tensors: Map<string, TensorEntry>;
	/** The free text under `__metadata__`. */
	readonly metadata: Map<string, string>;
};

/** Bytes of one element. Types below one byte are left out, so their lengths are not checked. */
const elementBytes = new Map([
	...['BOOL', 'U8', 'I8', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0'].map(dtype => [dtype, 1] as const),
	...['U16', 'I16', 'F16', 'BF16'].map(dtype => [dtype, 2] as const),
	...['U32', 'I32', 'F32'].map(dtype => [dtype, 4] as const),
	...['U64', 'I64', 'F64', 'C64'].map(dtype => [dtype, 8] as const),
]);

const prefixBytes = 8;

/**
Reads the header of a safetensors file and checks everything in it against the file's size. No tensor is read.

@throws {ExlError} `EXL_MODEL_NOT_FOUND` if there is no such file, `EXL_FORMAT_INVALID` if it breaks the format's rules;
as `refuseForeignFile()`.
*/
export async function readHeader(file: string): Promise<SafetensorsHeader> {
	return withFile(file, async (handle, fileBytes) => {
		const head = await readExactly(handle, file, 0, Math.min(kindBytes, fileBytes));
		refuseForeignFile(file, head);
		const length = headerLength(head, file, fileBytes);
		return parseHeader(await readExactly(handle, file, prefixBytes, length), file, fileBytes);
	});
}

/** Length of the JSON that follows the first eight bytes of a file of `fileBytes`. */
export function headerLength(prefix: Buffer, file: string, fileBytes: number): number {
	if (prefix.length < prefixBytes) {
		throw invalid(file, `has ${fileBytes} bytes, expected at least ${prefixBytes} for the length of its header`);
	}
	const length = prefix.readBigUInt64LE();
	const limit = Math.min(fileBytes - prefixBytes, maxJsonBytes);
	if (length > limit) {
		throw invalid(file, `gives its header ${length} bytes, expected at most ${limit} in a file of ${fileBytes}`);
	}
	return Number(length);
}

/** Checks the JSON of a header that belongs to a file of `fileBytes`. */
export function parseHeader(json: Buffer, file: string, fileBytes: number): SafetensorsHeader {
	const {__metadata__: metadata, ...fields} = parseJsonObject(json, `the header of ${file}`);

	const duplicate = duplicateName(json.toString());
	if (duplicate !== undefined) throw invalid(file, `has the name ${describe(duplicate)} twice in its header`);

	const dataStart = prefixBytes + json.length;
	const tensors = new Map<string, TensorEntry>();
	for (const [name, value] of Object.entries(fields)) {
		tensors.set(name, parseTensor(name, value, file, dataStart, fileBytes));
	}
	checkOverlaps(tensors.values(), file);
	return {tensors, metadata: parseMetadata(metadata, file)};
}

function parseTensor(name: string, value: unknown, file: string, dataStart: number, fileBytes: number): TensorEntry {
	const refuse = (problem: string) => invalid(file, `has a tensor whose ${problem}`, name);

	if (!isObject(value)) throw refuse(`entry is ${describe(value)}, expected an object`);
	const {dtype, shape, data_offsets: range} = value;

	if (typeof dtype !== 'string') throw refuse(`dtype is ${describe(dtype)}, expected a string`);
	if (!isSizes(shape)) throw refuse(`shape is ${describeList(shape)}, expected a list of integers >= 0`);
	if (!isRange(range)) {
		throw refuse(`data_offsets are ${describeList(range)}, expected two integers >= 0`);
	}

	const [begin, end] = range;
	const dataBytes = fileBytes - dataStart;
	if (begin > end || end > dataBytes) {
		throw refuse(`data_offsets are [${begin}, ${end}], expected an ascending range within ${dataBytes} bytes of data`);
	}

	let elements = 1;
	for (const size of shape) {
		elements *= size;
		if (!Number.isSafeInteger(elements)) {
			throw refuse(`shape is ${describeList(shape)}, which is more than 2^53 elements`);
		}
	}
	const size = elementBytes.get(dtype);
	if (size !== undefined && end - begin !== elements * size) {
		throw refuse(`data has ${end - begin} bytes, expected ${elements * size} for ${dtype} ${describeList(shape)}`);
	}
	return {name, dtype, shape, file, offset: dataStart + begin, length: end - begin};
}

function isSizes(value: unknown): value is number[] {
	return Array.isArray(value) && value.every(size => Number.isSafeInteger(size) && size >= 0);
}

function isRange(value: unknown): value is [begin: number, end: number] {
	return isSizes(value) && value.length === 2;
}

function checkOverlaps(tensors: Iterable<TensorEntry>, file: string): void {
	const sorted = [...tensors].filter(({length}) => length > 0).sort((a, b) => a.offset - b.offset);
	let before: TensorEntry | undefined;
	for (const tensor of sorted) {
		if (before && before.offset + before.length > tensor.offset) {
			throw invalid(file, `has a tensor whose bytes overlap those of ${describe(before.name)}`, tensor.name);
		}
		before = tensor;
	}
}

function parseMetadata(value: unknown, file: string): Map<string, string> {
	const metadata = new Map<string, string>();
	if (value === undefined) return metadata;
	if (!isObject(value)) throw invalid(file, `has __metadata__ that is ${describe(value)}, expected an object`);

	for (const [name, text] of Object.entries(value)) {
		if (typeof text !== 'string') {
			throw invalid(file, `has __metadata__ whose ${describe(name)} is ${describe(text)}, expected a string`);
		}
		metadata.set(name, text);
	}
	return metadata;
}

function invalid(file: string, problem: string, tensor?: string): ExlError {
	const where = tensor === undefined ? '' : ` (tensor ${describe(tensor)})`;
	return new ExlError('EXL_FORMAT_INVALID', `${file} ${problem}${where}`, tensor === undefined ? {} : {op: tensor});
}
