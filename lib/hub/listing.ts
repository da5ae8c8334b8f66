import * as v from 'valibot';
import {ExlError, isExlError} from '../errors/index.js';
import type {HubClient} from './client.js';
import {describeNetworkError} from './network-error.js';
import {hostOf, NoRevision, refusal, type Wanted} from './refusal.js';
import {type Patience, persist, Transient} from './retry.js';

/** A file of a revision. */
export type HubFile = {
	/** With `/`, inside the repository; whatever the hub says. */
	readonly path: string;
	readonly size: number;
	/** Of its content; also the name of its blob. */
	readonly digest: string;
	/** `git`: SHA-1 over the header of a Git blob and the content. */
	readonly algorithm: 'sha256' | 'git';
};

const hex = (digits: number) => v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${digits}}$`)));
const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const revisionInfo = v.looseObject({sha: hex(40)});
const entry = v.looseObject({
	type: v.string(),
	path: v.string(),
	size: v.optional(size, 0),
	oid: v.string(),
	lfs: v.nullish(
		v.looseObject({
			oid: v.pipe(
				v.string(),
				v.transform(text => text.replace(/^sha256:/, '')),
				hex(64),
			),
			size,
		}),
	),
});
const tree = v.array(entry);
const refs = v.looseObject({branches: v.array(v.looseObject({name: v.string()}))});

const longestJson = 64_000_000;
const mostPages = 1000;

/** What a hub says about repositories of models. */
export class Listing {
	readonly #client: HubClient;
	readonly #patience: Patience;

	constructor(client: HubClient, patience: Patience) {
		this.#client = client;
		this.#patience = patience;
	}

	/** The commit a branch or tag stands for now. @throws {ExlError} `EXL_MODEL_NOT_FOUND` with the branches there are. */
	async commit(repo: string, revision: string): Promise<string> {
		const wanted = {repo, revision};
		try {
			const path = `${repo}/revision/${encodeURIComponent(revision)}`;
			return (await this.#get(path, revisionInfo, wanted)).value.sha;
		} catch (error) {
			if (!(error instanceof NoRevision)) throw error;
			const branches = await this.branches(repo).catch(() => []);
			if (branches.length === 0) throw error;
			throw new ExlError('EXL_MODEL_NOT_FOUND', `${repo} has no revision ${revision}; it has ${branches.join(', ')}.`);
		}
	}

	async branches(repo: string): Promise<string[]> {
		const {value} = await this.#get(`${repo}/refs`, refs, {repo});
		return value.branches.map(({name}) => name);
	}

	async files(repo: string, commit: string): Promise<HubFile[]> {
		const files: HubFile[] = [];
		let page: string | URL | undefined = `${repo}/tree/${commit}?recursive=true&expand=false`;
		for (let pages = 0; page !== undefined; pages++) {
			if (pages === mostPages) throw this.#strange('its list of files does not end');
			const {value, next}: {value: v.InferOutput<typeof tree>; next: URL | undefined} = await this.#get(page, tree, {
				repo,
				revision: commit,
			});
			files.push(...value.filter(({type}) => type === 'file').map(each => this.#file(each)));
			page = next;
		}
		return files;
	}

	#file({path, size: plain, oid, lfs}: v.InferOutput<typeof entry>): HubFile {
		if (lfs) return {path, size: lfs.size, digest: lfs.oid, algorithm: 'sha256'};
		if (!/^[0-9a-f]{40}$/.test(oid)) throw this.#strange(`${path} has no digest`);
		return {path, size: plain, digest: oid, algorithm: 'git'};
	}

	async #get<T>(
		path: string | URL,
		schema: v.GenericSchema<unknown, T>,
		wanted: Wanted,
	): Promise<{value: T; next: URL | undefined}> {
		const {settings} = this.#client;
		const url = typeof path === 'string' ? `${settings.endpoint}/api/models/${path}` : path;
		return persist(async () => {
			const {signal} = this.#patience;
			const reply = await this.#client.get(url, {timeoutMs: settings.listingTimeoutMs, signal});
			if (reply.status !== 200) {
				reply.response.resume();
				throw refusal(reply, wanted, settings);
			}
			const text = await this.#text(reply.response);
			const value = v.safeParse(schema, parse(text));
			if (!value.success) throw this.#strange(`it answered ${JSON.stringify(text.slice(0, 60))}`);
			return {value: value.output, next: nextPage(reply.response.headers.link, reply.url)};
		}, this.#patience);
	}

	async #text(response: AsyncIterable<Buffer>): Promise<string> {
		const chunks: Buffer[] = [];
		let length = 0;
		try {
			for await (const chunk of response) {
				chunks.push(chunk);
				length += chunk.length;
				if (length > longestJson) throw this.#strange('its answer does not end');
			}
		} catch (error) {
			this.#patience.signal.throwIfAborted();
			if (isExlError(error)) throw error;
			const host = hostOf(this.#client.settings);
			throw new Transient(
				`${host} broke off its answer: ${describeNetworkError(error)}. Run the same pull again later.`,
				{
					cause: error,
				},
			);
		}
		return Buffer.concat(chunks).toString();
	}

	#strange(what: string): ExlError {
		const {endpoint} = this.#client.settings;
		const message = `${endpoint} does not answer as a Hugging Face hub does: ${what}. Check HF_ENDPOINT, and that no login page of the network is in between.`;
		return new ExlError('EXL_DOWNLOAD_FAILED', message);
	}
}

function parse(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

function nextPage(link: string | string[] | undefined, from: URL): URL | undefined {
	const [, target] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(link ?? '')) ?? [];
	return target !== undefined && URL.canParse(target, from.href) ? new URL(target, from) : undefined;
}
