import {readdir, readFile, stat} from 'node:fs/promises';
import {homedir} from 'node:os';
import {join, resolve} from 'node:path';
import {ExlError} from '../errors/index.js';
import {isMissing, unreadable} from '../options/file-error.js';
import {fileForDirectory, suggestionFor} from './near-miss.js';

type Environment = {readonly [name: string]: string | undefined};

export type Repository = {readonly repo: string; readonly revision: string};

// `org/name@revision`; a few old repositories have no organisation, and a revision may contain slashes (`refs/pr/1`).
const repository = /^(?<repo>(?:[\w-][\w.-]*\/)?[\w-][\w.-]*)(?:@(?<revision>[\w-][\w./-]*))?$/;

/**
The directory of a model: `nameOrPath` itself if it is a directory, else `org/name[@revision]` in the local Hugging Face
cache. Nothing is downloaded.

@throws {ExlError} `EXL_MODEL_NOT_FOUND`, with every place that was looked at, what was probably meant and the command that
downloads the model; `EXL_FORMAT_UNSUPPORTED` for a GGUF file; `EXL_INVALID_ARGUMENT` for no name at all.
*/
export async function locateModel(nameOrPath: string, environment: Environment = process.env): Promise<string> {
	if (typeof nameOrPath !== 'string' || nameOrPath === '') {
		throw new ExlError('EXL_INVALID_ARGUMENT', 'A model must be a directory or org/name[@revision]');
	}
	const local = resolve(nameOrPath);
	const there = await kindOf(local);
	if (there === 'directory') return local;
	if (there === 'file') throw await fileForDirectory(local);

	const meant = await suggestionFor(nameOrPath, local);
	const parsed = parseRepository(nameOrPath);
	if (parsed === undefined) throw notFound(nameOrPath, [local], {meant});

	const {repo, revision} = parsed;
	const folder = repositoryFolder(cacheDirectory(environment), repo);
	const ref = join(folder, 'refs', ...revision.split('/'));
	const commit = await readText(ref);
	const snapshot = join(folder, 'snapshots', commit ?? revision);
	if ((await kindOf(snapshot)) === 'directory') return snapshot;

	const command = `npx node-exllama pull ${repo}${revision === 'main' ? '' : `@${revision}`}`;
	const looked = [local, commit === undefined ? ref : snapshot];
	throw notFound(nameOrPath, looked, {meant, command, revisions: await cachedRevisions(folder)});
}

/** Undefined if it is no `org/name[@revision]`. @default of the revision: main */
export function parseRepository(name: string): Repository | undefined {
	const {repo, revision = 'main'} = repository.exec(name)?.groups ?? {};
	if (repo === undefined || revision.split('/').some(part => /^\.{0,2}$/.test(part))) return undefined;
	return {repo, revision};
}

/** Where a cache keeps the revisions of a repository. */
export function repositoryFolder(cache: string, repo: string): string {
	return join(cache, `models--${repo.replace('/', '--')}`);
}

/** Root of the cache, as `huggingface_hub` chooses it. */
export function cacheDirectory(environment: Environment): string {
	const {HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE} = environment;
	const explicit = HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE;
	return explicit ? expandHome(explicit) : join(huggingFaceHome(environment), 'hub');
}

/** What all clients of the hub share: the cache, and the token of the user. */
export function huggingFaceHome({HF_HOME, XDG_CACHE_HOME}: Environment): string {
	return HF_HOME ? expandHome(HF_HOME) : join(expandHome(XDG_CACHE_HOME || '~/.cache'), 'huggingface');
}

function expandHome(directory: string): string {
	return /^~(?=$|[\\/])/.test(directory) ? join(homedir(), directory.slice(1)) : resolve(directory);
}

type Advice = {
	/** What was probably meant. */
	readonly meant: string | undefined;
	readonly command?: string;
	readonly revisions?: readonly string[];
};

function notFound(name: string, looked: readonly string[], {meant, command, revisions = []}: Advice): ExlError {
	const lines = [`No model "${name}". Looked for`, ...looked.map(place => `  ${place}`)];
	if (meant !== undefined) lines.push(`Did you mean "${meant}"?`);
	if (revisions.length > 0) lines.push(`Revisions in the cache: ${revisions.join(', ')}`);
	if (command !== undefined) lines.push('If it is on the Hugging Face Hub, download it with', `  ${command}`);
	return new ExlError('EXL_MODEL_NOT_FOUND', lines.join('\n'));
}

async function cachedRevisions(folder: string): Promise<string[]> {
	const refs = await readdir(join(folder, 'refs'), {withFileTypes: true}).catch(() => []);
	return refs.filter(entry => entry.isFile()).map(entry => entry.name);
}

async function readText(file: string): Promise<string | undefined> {
	try {
		return (await readFile(file, 'utf8')).trim() || undefined;
	} catch (error) {
		if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'EISDIR') return undefined;
		throw unreadable(file, error);
	}
}

/** Undefined if there is nothing. @throws {ExlError} As `unreadable()` if that cannot be told. */
async function kindOf(path: string): Promise<'directory' | 'file' | 'other' | undefined> {
	try {
		const entry = await stat(path);
		if (entry.isDirectory()) return 'directory';
		return entry.isFile() ? 'file' : 'other';
	} catch (error) {
		if (isMissing(error)) return undefined;
		throw unreadable(path, error);
	}
}
