import {copyFile, mkdir, open, readlink, rename, stat, symlink, unlink, writeFile} from 'node:fs/promises';
import {dirname, join, relative} from 'node:path';
import {repositoryFolder} from '../weights/index.js';
import type {HubFile} from './listing.js';
import {codeOf} from './network-error.js';

/**
One repository in the cache that all clients of the hub share: `blobs/DIGEST` has contents, `snapshots/COMMIT/PATH` links to
them, `refs/REVISION` has the commit of a branch or tag.
*/
export class Layout {
	readonly folder: string;
	readonly #locks: string;

	constructor(cache: string, repo: string) {
		this.folder = repositoryFolder(cache, repo);
		this.#locks = repositoryFolder(join(cache, '.locks'), repo);
	}

	blob({digest}: Pick<HubFile, 'digest'>): string {
		return join(this.folder, 'blobs', digest);
	}

	lock({digest}: Pick<HubFile, 'digest'>): string {
		return join(this.#locks, `${digest}.lock`);
	}

	snapshot(commit: string): string {
		return join(this.folder, 'snapshots', commit);
	}

	ref(revision: string): string {
		return join(this.folder, 'refs', ...revision.split('/'));
	}

	file(commit: string, {path}: Pick<HubFile, 'path'>): string {
		return join(this.snapshot(commit), ...path.split('/'));
	}

	/** Whether a file is there: its blob or, where no links can be made, itself. */
	async has(commit: string, file: HubFile): Promise<boolean> {
		const sizes = await Promise.all([sizeOf(this.blob(file)), sizeOf(this.file(commit, file))]);
		return sizes.includes(file.size);
	}

	/** Gives files their names. The same blob may have several. */
	async link(commit: string, files: readonly HubFile[]): Promise<void> {
		/** Where blobs were moved to, since no link can be made. */
		const moved = new Map<string, string>();
		for (const file of files) {
			const target = this.file(commit, file);
			const blob = this.blob(file);
			if ((await sizeOf(blob)) === undefined && !moved.has(blob)) continue;
			await mkdir(dirname(target), {recursive: true});
			const destination = relative(dirname(target), blob);
			if ((await readlink(target).catch(() => undefined)) === destination) continue;
			await unlink(target).catch(() => {});

			const elsewhere = moved.get(blob);
			if (elsewhere !== undefined) await copyFile(elsewhere, target);
			else if (!(await canLink(destination, target))) {
				await rename(blob, target);
				moved.set(blob, target);
			}
		}
	}

	/** Records the commit that a revision stands for. */
	async setRef(revision: string, commit: string): Promise<void> {
		const file = this.ref(revision);
		await mkdir(dirname(file), {recursive: true});
		const temporary = `${file}.${process.pid}.tmp`;
		await writeFile(temporary, commit);
		await rename(temporary, file);
		await syncFolder(dirname(file));
	}
}

const noLinks = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL']);

/** Makes a link. Windows allows that to few users, and some file systems to nobody. */
async function canLink(destination: string, target: string): Promise<boolean> {
	try {
		await symlink(destination, target, 'file');
		return true;
	} catch (error) {
		if (noLinks.has(codeOf(error))) return false;
		throw error;
	}
}

/** Undefined if it is no file. */
export async function sizeOf(file: string): Promise<number | undefined> {
	const entry = await stat(file).catch(() => undefined);
	return entry?.isFile() ? entry.size : undefined;
}

/** So that names survive a power cut; not every system can. */
export async function syncFolder(folder: string): Promise<void> {
	const handle = await open(folder).catch(() => undefined);
	await handle?.sync().catch(() => {});
	await handle?.close();
}

/** Whether a path stays below the folder it is created in, on every system. */
export function isSafePath(path: string): boolean {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
	if (/[\\:\x00-\x1f\x7f]/.test(path) || path.length > 1024) return false;
	return path.split('/').every(part => !/^\.{0,2}$/.test(part) && !/[. ]$/.test(part));
}
