import {ExlError} from '../errors/index.js';
import {readExactly, withFile} from './file.js';
import type {TensorEntry} from './safetensors.js';

export type ReadTensor = (entry: TensorEntry) => Promise<Buffer>;

/** The tensors of one model, by name, wherever they lie. An alias is a second name for the same entry. */
export class WeightFiles {
	readonly #entries: ReadonlyMap<string, TensorEntry>;
	readonly #read: ReadTensor;

	/** Bytes of all tensors; one with two names counts once. */
	readonly totalBytes: number;

	constructor(entries: ReadonlyMap<string, TensorEntry>, read: ReadTensor = readTensor) {
		this.#entries = entries;
		this.#read = read;
		this.totalBytes = [...new Set(entries.values())].reduce((sum, {length}) => sum + length, 0);
	}

	has(name: string): boolean {
		return this.#entries.has(name);
	}

	names(): string[] {
		return [...this.#entries.keys()];
	}

	/** @throws {ExlError} `EXL_MODEL_INVALID` if there is no tensor of this name. */
	entry(name: string): TensorEntry {
		const entry = this.#entries.get(name);
		if (entry === undefined) {
			throw new ExlError('EXL_MODEL_INVALID', `the model has no tensor ${name}`, {op: name});
		}
		return entry;
	}

	/** All bytes of a tensor. @throws {ExlError} `EXL_FORMAT_INVALID` if the file has shrunk since it was opened. */
	read(entry: TensorEntry): Promise<Buffer> {
		return this.#read(entry);
	}
}

function readTensor({file, offset, length}: TensorEntry): Promise<Buffer> {
	return withFile(file, handle => readExactly(handle, file, offset, length));
}
