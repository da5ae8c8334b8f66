import {lstat, readdir, readFile, readlink, rm, stat, unlink} from 'node:fs/promises';
import {dirname, join, relative, resolve} from 'node:path';
import {ExlError} from '../errors/index.js';
import {cacheDirectory, repositoryFolder} from '../weights/index.js';
import {tryLock} from './lock.js';
import {parseName} from './pull.js';
import type {Environment} from './settings.js';

export type CachedRevision = {
	readonly commit: string;
	/** Branches and tags that stand for it. */
	readonly refs: readonly string[];
	readonly directory: string;
	readonly files: number;
	/** What other revisions share counts too. */
	readonly bytes: number;
};

export type CachedModel = {
	/** `org/name` */
	readonly name: string;
	readonly revisions: readonly CachedRevision[];
	/** On disk: what revisions share counts once, and what was downloaded in part counts. */
	readonly bytes: number;
	/** Of files that are not complete. */
	readonly partialBytes: number;
};

/** The models of the cache, whoever put them there. */
export async function listCached(environment: Environment = process.env): Promise<CachedModel[]> {
	const cache = cacheDirectory(environment);
	const folders = (await readNames(cache)).filter(name => name.startsWith('models--')).sort();
	return Promise.all(folders.map(folder => readModel(join(cache, folder), nameOf(folder))));
}

/** The first `--` parts organisation and name. */
function nameOf(folder: string): string {
	return folder.slice('models--'.length).replace('--', '/');
}

async function readModel(folder: string, name: string): Promise<CachedModel> {
	const refs = await readRefs(folder);
	const commits = (await readNames(join(folder, 'snapshots'))).sort();
	const snapshots = await Promise.all(
		commits.map(async commit => {
			const directory = join(folder, 'snapshots', commit);
			const files = await readFiles(directory);
			const names = [...refs].filter(([, target]) => target === commit).map(([ref]) => ref);
			return {revision: {commit, refs: names.sort(), directory, files: files.length, bytes: sum(files)}, files};
		}),
	);
	const blobs = await readFiles(join(folder, 'blobs'));
	// Where there are no links, files lie in the snapshots themselves.
	const own = snapshots.flatMap(({files}) => files.filter(({isLink}) => !isLink));
	return {
		name,
		revisions: snapshots.map(({revision}) => revision),
		bytes: sum(blobs) + sum(own),
		partialBytes: sum(blobs.filter(({path}) => path.endsWith('.incomplete'))),
	};
}

export type Removed = {
	readonly name: string;
	/** Commits. */
	readonly revisions: readonly string[];
	/** Given back to the disk. */
	readonly bytes: number;
	/** Branches, tags and commits that are still there. */
	readonly left: readonly string[];
};

/**
Removes a revision, and the contents that no other revision has.

@param name `org/name[@revision]`. @param all Every revision, and what was downloaded in part.
@throws {ExlError} `EXL_MODEL_NOT_FOUND`; `EXL_INVALID_ARGUMENT` if it is being downloaded.
*/
export async function removeCached(
	name: string,
	all: boolean,
	environment: Environment = process.env,
): Promise<Removed> {
	const {repo, revision} = parseName(name);
	const cache = cacheDirectory(environment);
	const folder = repositoryFolder(cache, repo);
	const before = await readModel(folder, repo);
	const doomed = before.revisions.filter(({commit, refs}) => all || commit === revision || refs.includes(revision));
	if (doomed.length === 0 && !(all && before.bytes > 0)) throw notCached(name, before, cache);

	const locks = repositoryFolder(join(cache, '.locks'), repo);
	await refuseWhileDownloading(folder, locks, repo);
	if (all) await rm(folder, {recursive: true, force: true});
	else for (const each of doomed) await removeRevision(folder, each, revision);
	if ((await readNames(join(folder, 'snapshots'))).length === 0) await rm(folder, {recursive: true, force: true});
	const after = await readModel(folder, repo);
	const left = after.revisions.flatMap(({refs, commit}) => (refs.length > 0 ? refs : [commit]));
	const gone = doomed.map(({commit}) => commit).filter(commit => !after.revisions.some(each => each.commit === commit));
	return {name: repo, revisions: gone, bytes: before.bytes - after.bytes, left};
}

/** A branch that shares its commit with others leaves it to them. */
async function removeRevision(
	folder: string,
	{commit, refs, directory}: CachedRevision,
	revision: string,
): Promise<void> {
	const doomed = commit === revision ? refs : [revision];
	for (const ref of doomed) await unlink(join(folder, 'refs', ...ref.split('/')));
	if (refs.length > doomed.length) return;
	const blobs = (await readFiles(directory)).flatMap(({target}) => target ?? []);
	await rm(directory, {recursive: true});

	const snapshots = await readNames(join(folder, 'snapshots'));
	const others = await Promise.all(snapshots.map(other => readFiles(join(folder, 'snapshots', other))));
	const kept = new Set(others.flat().map(({target}) => target));
	const store = resolve(folder, 'blobs');
	for (const blob of new Set(blobs)) {
		// A link that leads out of the store belongs to somebody else.
		if (!kept.has(blob) && !relative(store, blob).startsWith('..')) await rm(blob, {force: true});
	}
}

async function refuseWhileDownloading(folder: string, locks: string, repo: string): Promise<void> {
	const blobs = await readNames(join(folder, 'blobs'));
	for (const blob of blobs.filter(each => each.endsWith('.incomplete'))) {
		const unlock = await tryLock(join(locks, `${blob.replace(/\.incomplete$/, '')}.lock`));
		if (!unlock)
			throw new ExlError('EXL_INVALID_ARGUMENT', `${repo} is being downloaded by another program: end that first.`);
		await unlock();
	}
}

function notCached(name: string, {revisions}: CachedModel, cache: string): ExlError {
	const there = revisions.flatMap(({refs, commit}) => (refs.length > 0 ? refs : [commit]));
	const others = there.length > 0 ? ` Revisions that are there: ${there.join(', ')}.` : '';
	return new ExlError('EXL_MODEL_NOT_FOUND', `${name} is not in ${cache}.${others}`);
}

type Entry = {
	readonly path: string;
	readonly size: number;
	readonly isLink: boolean;
	/** Where a link leads. */
	readonly target: string | undefined;
};

async function readFiles(folder: string): Promise<Entry[]> {
	const entries = await readdir(folder, {recursive: true, withFileTypes: true}).catch(() => []);
	const files = await Promise.all(
		entries.map(async ({parentPath, name}) => {
			const path = join(parentPath, name);
			const [own, entry] = await Promise.all([lstat(path), stat(path).catch(() => undefined)]);
			if (!entry?.isFile()) return [];
			const isLink = own.isSymbolicLink();
			return [{path, size: entry.size, isLink, target: isLink ? await realTarget(path) : undefined}];
		}),
	);
	return files.flat();
}

async function realTarget(path: string): Promise<string> {
	return resolve(dirname(path), await readlink(path));
}

/** Branch or tag, with slashes, and its commit. */
async function readRefs(folder: string): Promise<Map<string, string>> {
	const root = join(folder, 'refs');
	const files = await readFiles(root);
	return new Map(
		await Promise.all(
			files.map(async ({path}): Promise<[string, string]> => {
				return [relative(root, path).replaceAll('\\', '/'), (await readFile(path, 'utf8')).trim()];
			}),
		),
	);
}

async function readNames(folder: string): Promise<string[]> {
	return readdir(folder).catch(() => []);
}

function sum(files: readonly {readonly size: number}[]): number {
	return files.reduce((total, {size}) => total + size, 0);
}
