import {type FileHandle, open, stat} from 'node:fs/promises';
import {ExlError, isExlError} from '../errors/index.js';
import {unreadable} from '../options/file-error.js';

/** The most one read asks for: some systems refuse 2 GiB and more. */
const maxRead = 2 ** 30;

/**
Opens a file for the time `use` takes.

@throws {ExlError} `EXL_MODEL_NOT_FOUND` if it is not there, not a file or may not be read; `EXL_OUT_OF_MEMORY` if no more
files can be opened; `EXL_FORMAT_INVALID` if reading it fails.
*/
export async function withFile<T>(file: string, use: (handle: FileHandle, bytes: number) => Promise<T>): Promise<T> {
	const {handle, bytes} = await openFile(file);
	try {
		return await use(handle, bytes);
	} catch (error) {
		if (!isSystemError(error)) throw error;
		throw new ExlError('EXL_FORMAT_INVALID', `${file} cannot be read: ${error.message}`, {cause: error});
	} finally {
		await handle.close();
	}
}

async function openFile(file: string): Promise<{handle: FileHandle; bytes: number}> {
	try {
		// Before opening, because opening a pipe waits for its other end.
		const stats = await stat(file);
		if (!stats.isFile()) throw new ExlError('EXL_MODEL_NOT_FOUND', `${file} is not a file`);
		return {handle: await open(file), bytes: stats.size};
	} catch (error) {
		if (isExlError(error)) throw error;
		throw unreadable(file, error);
	}
}

/**
Reads `length` bytes from `offset`.

@throws {ExlError} `EXL_FORMAT_INVALID` if the file ends earlier, `EXL_OUT_OF_MEMORY` if they do not fit into memory.
*/
export async function readExactly(handle: FileHandle, file: string, offset: number, length: number): Promise<Buffer> {
	const buffer = allocate(length, file);
	let done = 0;
	while (done < length) {
		const {bytesRead} = await handle.read(buffer, done, Math.min(length - done, maxRead), offset + done);
		if (bytesRead === 0) {
			const message = `${file} ends at byte ${offset + done}, expected ${length} bytes from byte ${offset}`;
			throw new ExlError('EXL_FORMAT_INVALID', message);
		}
		done += bytesRead;
	}
	return buffer;
}

function allocate(length: number, file: string): Buffer {
	try {
		return Buffer.alloc(length);
	} catch (cause) {
		throw new ExlError('EXL_OUT_OF_MEMORY', `no memory for ${length} bytes of ${file}`, {cause});
	}
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
	return error instanceof Error && 'syscall' in error;
}
