import {randomBytes} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {type Pulled, type PullOptions, pull} from '../../lib/hub/index.js';
import {temporaryDirectory} from '../support/directory.js';
import {commit, type FakeHub} from './hub.js';

export const weights = randomBytes(300_000);

/** What a model is made of, and what else lies around in repositories. */
export const modelFiles = {
	'config.json': '{"model_type": "llama"}',
	'tokenizer.json': '{}'.padEnd(5000),
	'model.safetensors': weights,
	'README.md': '# A model',
};

export type Puller = {
	readonly cache: string;
	readonly folder: string;
	readonly notes: string[];
	readonly progress: [loaded: number, total: number][];
	pull(name?: string, options?: PullOptions): Promise<Pulled>;
	/** The message of the failure, after its code. */
	failure(name?: string, options?: PullOptions): Promise<string>;
	/** Of a file in the snapshot. */
	read(path: string, of?: string): Buffer;
	blobs(): string[];
};

/** Pulls from a fake hub into a cache of its own. */
export async function pullerOf(
	hub: FakeHub,
	variables: Record<string, string> = {},
	cacheDir?: string,
): Promise<Puller> {
	const cache = cacheDir ?? (await temporaryDirectory());
	const folder = join(cache, `models--${hub.repo.replace('/', '--')}`);
	const environment = {
		HF_ENDPOINT: hub.endpoint,
		HF_HUB_CACHE: cache,
		HF_HOME: join(cache, 'home'),
		HF_HUB_ETAG_TIMEOUT: '1',
		HF_HUB_DOWNLOAD_TIMEOUT: '1',
		...variables,
	};
	const notes: string[] = [];
	const progress: [number, number][] = [];
	const puller: Puller = {
		cache,
		folder,
		notes,
		progress,
		pull: (name = hub.repo, options) =>
			pull(name, {
				environment,
				retryDelayMs: 1,
				onNote: note => notes.push(note),
				onProgress: (loaded, total) => progress.push([loaded, total]),
				...options,
			}),
		failure: (name, options) =>
			puller.pull(name, options).then(
				() => 'it succeeded',
				error => `${error.code}: ${error.message}`,
			),
		read: (path, of = commit) => readFileSync(join(folder, 'snapshots', of, path)),
		blobs: () => readdirSync(join(folder, 'blobs')).sort(),
	};
	return puller;
}
