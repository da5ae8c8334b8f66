import {createHash, type Hash} from 'node:crypto';
import {constants} from 'node:fs';
import {type FileHandle, open} from 'node:fs/promises';
import type {HubFile} from './listing.js';

const block = 1 << 20;

/** A file that is not complete: how much of it there is, and the digest of that. */
export class Partial {
	readonly #handle: FileHandle;
	readonly #file: HubFile;
	#hash: Hash;
	#length = 0;

	private constructor(handle: FileHandle, file: HubFile) {
		this.#handle = handle;
		this.#file = file;
		this.#hash = newHash(file);
	}

	/** Goes on with what an earlier download left. */
	static async open(path: string, file: HubFile): Promise<Partial> {
		const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o666);
		const partial = new Partial(handle, file);
		try {
			await partial.#readExisting();
		} catch (error) {
			await handle.close();
			throw error;
		}
		return partial;
	}

	get length(): number {
		return this.#length;
	}

	async append(chunk: Buffer): Promise<void> {
		for (let done = 0; done < chunk.length; ) {
			done += (await this.#handle.write(chunk, done, chunk.length - done, this.#length + done)).bytesWritten;
		}
		this.#hash.update(chunk);
		this.#length += chunk.length;
	}

	async restart(): Promise<void> {
		await this.#handle.truncate(0);
		this.#hash = newHash(this.#file);
		this.#length = 0;
	}

	digest(): string {
		return this.#hash.copy().digest('hex');
	}

	sync(): Promise<void> {
		return this.#handle.sync();
	}

	close(): Promise<void> {
		return this.#handle.close();
	}

	async #readExisting(): Promise<void> {
		const {size} = await this.#handle.stat();
		if (size > this.#file.size) return this.restart();
		const buffer = Buffer.allocUnsafe(Math.min(block, Math.max(1, size)));
		while (this.#length < size) {
			const {bytesRead} = await this.#handle.read(buffer, 0, buffer.length, this.#length);
			if (bytesRead === 0) return;
			this.#hash.update(buffer.subarray(0, bytesRead));
			this.#length += bytesRead;
		}
	}
}

/** Git hashes the size in front of the content. */
function newHash({algorithm, size}: HubFile): Hash {
	return algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}
