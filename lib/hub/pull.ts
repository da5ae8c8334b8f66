import {mkdir, statfs} from 'node:fs/promises';
import {ExlError} from '../errors/index.js';
import {locateModel, parseRepository} from '../weights/index.js';
import {type Choice, chooseFiles, hasWeights, noWeights} from './choose.js';
import {HubClient} from './client.js';
import {cannotWrite, diskFull, isDiskFull, isSystemError, unsafeName} from './disk-failure.js';
import {download} from './download.js';
import {isSafePath, Layout, sizeOf} from './layout.js';
import {type HubFile, Listing} from './listing.js';
import {lock} from './lock.js';
import {type Environment, type HubSettings, readSettings} from './settings.js';

export type PullOptions = Choice & {
	readonly signal?: AbortSignal | undefined;
	/** Bytes of all files, those included that were there. */
	readonly onProgress?: ((loaded: number, total: number) => void) | undefined;
	/** What the person who waits should know, in a sentence. */
	readonly onNote?: ((note: string) => void) | undefined;
	/** @default process.env */
	readonly environment?: Environment;
	/** Before the first retry. @default 1000 */
	readonly retryDelayMs?: number;
};

export type Pulled = {
	readonly name: string;
	readonly revision: string;
	/** Absent if the network was forbidden and what is in the cache was taken. */
	readonly commit?: string;
	readonly directory: string;
	readonly files: readonly string[];
	readonly bytes: number;
	readonly downloadedBytes: number;
};

const filesAtOnce = 4;

/**
Downloads what a model needs into the cache that all clients of the hub share. What is there is not downloaded again, what
is there in part is completed. The revision refers to it only once everything is there.

@param name `org/name[@revision]`, where the revision is a branch, a tag or a commit.
@throws {ExlError} `EXL_INVALID_ARGUMENT`, `EXL_MODEL_NOT_FOUND`, `EXL_MODEL_UNSUPPORTED`, `EXL_DOWNLOAD_FAILED`,
`EXL_DOWNLOAD_DENIED`, `EXL_DOWNLOAD_CORRUPT`, `EXL_DISK_FULL`. @throws The signal's reason if it aborts.
*/
export async function pull(name: string, options: PullOptions = {}): Promise<Pulled> {
	const {repo, revision} = parseName(name);
	const environment = options.environment ?? process.env;
	const found = await readSettings(environment);
	const settings = {...found, retryDelayMs: options.retryDelayMs ?? found.retryDelayMs};
	if (settings.offline !== undefined) return takeCached(repo, revision, settings, settings.offline);

	// Ends the other files if one fails.
	const stop = new AbortController();
	const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
	const client = new HubClient(settings);
	try {
		return await new Pull(repo, revision, client, signal, stop, options).run();
	} finally {
		client.close();
	}
}

/** What people paste is taken too: `hf.co/org/name`, `https://huggingface.co/org/name`, `hf:org/name`. */
export function parseName(name: string): {repo: string; revision: string} {
	const parsed = parseRepository(name.replace(/^(?:hf:|(?:https?:\/\/)?(?:hf\.co|huggingface\.co)\/)/, ''));
	if (parsed) return parsed;
	throw new ExlError(
		'EXL_INVALID_ARGUMENT',
		`${JSON.stringify(name)} is no name of a model: expected ORG/NAME[@REVISION]`,
	);
}

async function takeCached(repo: string, revision: string, settings: HubSettings, variable: string): Promise<Pulled> {
	const name = `${repo}@${revision}`;
	const directory = await locateModel(name, settings.environment).catch(() => undefined);
	if (directory === undefined) {
		const message = `${variable} is set, so nothing is downloaded, and ${name} is not in ${settings.cache}.`;
		throw new ExlError('EXL_DOWNLOAD_FAILED', message);
	}
	return {name: repo, revision, directory, files: [], bytes: 0, downloadedBytes: 0};
}

class Pull {
	readonly #layout: Layout;
	readonly #listing: Listing;
	#loaded = 0;
	#found = 0;
	#total = 0;

	constructor(
		readonly repo: string,
		readonly revision: string,
		readonly client: HubClient,
		readonly signal: AbortSignal,
		readonly stop: AbortController,
		readonly options: PullOptions,
	) {
		this.#layout = new Layout(client.settings.cache, repo);
		this.#listing = new Listing(client, this.#patience());
	}

	async run(): Promise<Pulled> {
		const {repo, revision} = this;
		const commit = await this.#listing.commit(repo, revision);
		const files = await this.#choose(commit);
		this.#total = sum(files);
		try {
			await this.#checkSpace(commit, files);
			await this.#fetchAll(commit, files);
			await this.#layout.link(commit, files);
			if (revision !== commit) await this.#layout.setRef(revision, commit);
		} catch (error) {
			throw this.#explain(error);
		}
		return {
			name: repo,
			revision,
			commit,
			directory: this.#layout.snapshot(commit),
			files: files.map(({path}) => path),
			bytes: this.#total,
			downloadedBytes: this.#total - this.#found,
		};
	}

	async #choose(commit: string): Promise<HubFile[]> {
		const {repo, revision, options} = this;
		const all = await this.#listing.files(repo, commit);
		const chosen = chooseFiles(all, options);
		const unsafe = chosen.find(({path}) => !isSafePath(path));
		if (unsafe) throw unsafeName(this.client.settings, unsafe.path);
		if (options.include?.length) {
			if (chosen.length > 0) return chosen;
			throw new ExlError('EXL_MODEL_NOT_FOUND', `${repo} has no file that fits ${options.include.join(' or ')}.`);
		}
		if (hasWeights(all)) return chosen;
		throw noWeights(repo, revision, all, await this.#listing.branches(repo).catch(() => []));
	}

	async #checkSpace(commit: string, files: readonly HubFile[]): Promise<void> {
		const {cache} = this.client.settings;
		await mkdir(cache, {recursive: true});
		const missing = await Promise.all(
			uniqueBlobs(files).map(async file => {
				if (await this.#layout.has(commit, file)) return 0;
				return file.size - Math.min(file.size, (await sizeOf(`${this.#layout.blob(file)}.incomplete`)) ?? 0);
			}),
		);
		const needed = missing.reduce((total, bytes) => total + bytes, 0);
		const {bavail, bsize} = await statfs(cache);
		if (needed > bavail * bsize) throw diskFull(this.repo, cache, {needed, free: bavail * bsize});
	}

	/** The first failure ends all, and is the one to tell. */
	async #fetchAll(commit: string, files: readonly HubFile[]): Promise<void> {
		this.#progress(0);
		this.#advance(sum(files) - sum(uniqueBlobs(files)), true);
		const queue = uniqueBlobs(files);
		let failure: unknown;
		const work = async () => {
			for (let file = queue.shift(); file; file = queue.shift()) await this.#fetch(commit, file);
		};
		await Promise.all(
			Array.from({length: filesAtOnce}, () =>
				work().catch(error => {
					failure ??= error;
					this.stop.abort(error);
				}),
			),
		);
		if (failure !== undefined) throw failure;
	}

	async #fetch(commit: string, file: HubFile): Promise<void> {
		const blob = this.#layout.blob(file);
		if (await this.#layout.has(commit, file)) return this.#advance(file.size, true);
		const unlock = await lock(this.#layout.lock(file), this.signal, () =>
			this.options.onNote?.(`Another program is downloading ${file.path}: waiting for it.`),
		);
		try {
			if (await this.#layout.has(commit, file)) return this.#advance(file.size, true);
			let first = true;
			const onBytes = (count: number) => {
				this.#advance(count, first);
				first = false;
			};
			await download(this.client, {repo: this.repo, commit, file, blob, onBytes}, this.#patience());
		} finally {
			await unlock();
		}
	}

	#patience() {
		return {
			retryDelayMs: this.client.settings.retryDelayMs,
			signal: this.signal,
			onWait: (why: string, ms: number) =>
				this.options.onNote?.(`${why.split(/(?<=\.) /)[0]} Trying again in ${Math.ceil(ms / 1000)} s.`),
		};
	}

	/** @param found Whether these bytes were there already. */
	#advance(count: number, found: boolean): void {
		if (found) this.#found += count;
		this.#progress(count);
	}

	#progress(count: number): void {
		this.#loaded += count;
		this.options.onProgress?.(this.#loaded, this.#total);
	}

	#explain(error: unknown): unknown {
		const {cache} = this.client.settings;
		if (isDiskFull(error)) {
			return diskFull(this.repo, cache, {loaded: this.#loaded, total: this.#total}, error);
		}
		return isSystemError(error) ? cannotWrite(cache, error) : error;
	}
}

function sum(files: readonly HubFile[]): number {
	return files.reduce((total, {size}) => total + size, 0);
}

function uniqueBlobs(files: readonly HubFile[]): HubFile[] {
	return [...new Map(files.map(file => [file.digest, file])).values()];
}
