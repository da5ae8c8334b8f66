import {mkdir, rename} from 'node:fs/promises';
import {dirname} from 'node:path';
import {ExlError} from '../errors/index.js';
import type {HubClient, Reply} from './client.js';
import {syncFolder} from './layout.js';
import type {HubFile} from './listing.js';
import {codeOf, describeNetworkError} from './network-error.js';
import {Partial} from './partial.js';
import {refusal} from './refusal.js';
import {type Patience, persist, Transient} from './retry.js';

export type Download = {
	readonly repo: string;
	readonly commit: string;
	readonly file: HubFile;
	/** Where it goes. */
	readonly blob: string;
	/** Bytes that were written, or were there from an earlier download; negative if they are of no use. */
	readonly onBytes: (count: number) => void;
};

/**
Downloads a file, from where an earlier download of it stopped; it appears under its name only when its digest is right.
The caller holds its lock.

@throws {ExlError} `EXL_DOWNLOAD_CORRUPT`, `EXL_DOWNLOAD_FAILED`, `EXL_DOWNLOAD_DENIED`, `EXL_MODEL_NOT_FOUND`.
*/
export async function download(client: HubClient, what: Download, patience: Patience): Promise<void> {
	const {file, blob, onBytes} = what;
	await mkdir(dirname(blob), {recursive: true});
	const incomplete = `${blob}.incomplete`;
	const partial = await Partial.open(incomplete, file);
	try {
		onBytes(partial.length);
		let isFresh = partial.length === 0;
		for (let damaged = 0; ; ) {
			await persist(() => fetchRest(client, what, partial, patience.signal), patience);
			const digest = partial.digest();
			if (digest === file.digest) break;
			onBytes(-partial.length);
			await partial.restart();
			// The first mismatch may come from bytes of an earlier download.
			if (isFresh && ++damaged === 2) throw corrupt(client, what, digest);
			isFresh = true;
		}
		await partial.sync();
	} finally {
		await partial.close();
	}
	await rename(incomplete, blob);
	await syncFolder(dirname(blob));
}

async function fetchRest(client: HubClient, what: Download, partial: Partial, signal: AbortSignal): Promise<void> {
	const {repo, commit, file, onBytes} = what;
	if (partial.length === file.size) return;
	const {settings} = client;
	const path = file.path.split('/').map(encodeURIComponent).join('/');
	const start = partial.length;
	const reply = await client.get(`${settings.endpoint}/${repo}/resolve/${commit}/${path}`, {
		timeoutMs: settings.downloadTimeoutMs,
		headers: start > 0 ? {range: `bytes=${start}-`} : {},
		signal,
	});
	const {response, status, url} = reply;
	const restart = async () => {
		onBytes(-partial.length);
		await partial.restart();
	};
	let received = 0;
	try {
		if (status !== 200 && status !== 206) {
			if (status !== 416) throw refusal(reply, {repo, revision: commit, file: file.path}, settings);
			await restart();
			throw new Transient(`${url.host} does not give the rest of ${file.path} (416). Run the same pull again.`);
		}
		const offset = offsetOf(reply);
		const length = response.headers['content-length'];
		if (length !== undefined && offset + Number(length) !== file.size)
			throw otherLength(what, url, offset + Number(length));
		// A server may send the whole file in place of the part.
		if (offset !== start) await restart();
		if (offset !== 0 && offset !== start) {
			throw new Transient(`${url.host} sent another part of ${file.path} than was asked for. Run the same pull again.`);
		}
		for await (const chunk of bodyOf(response, cause => brokenOff(what, url, cause, received > 0))) {
			if (partial.length + chunk.length > file.size) throw otherLength(what, url, undefined);
			await partial.append(chunk);
			received += chunk.length;
			onBytes(chunk.length);
		}
	} finally {
		response.destroy();
	}
	if (partial.length < file.size) throw brokenOff(what, url, undefined, received > 0);
}

/** Where the content begins. */
function offsetOf({status, response}: Reply): number {
	if (status === 200) return 0;
	return Number(/^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1] ?? Number.NaN);
}

/** The chunks of an answer; what breaks it is not mistaken for what its reader throws. */
async function* bodyOf(response: AsyncIterable<Buffer>, broken: (cause: unknown) => Error): AsyncGenerator<Buffer> {
	try {
		yield* response;
	} catch (error) {
		throw broken(error);
	}
}

function brokenOff({file}: Download, {host}: URL, cause: unknown, progressed: boolean): Transient {
	const isStall = codeOf(cause) === 'ETIMEDOUT';
	const what = isStall
		? `${host} stopped sending ${file.path}`
		: `${host} broke off ${file.path}${cause === undefined ? '' : `: ${describeNetworkError(cause)}`}`;
	return new Transient(`${what}. What is there is kept; run the same pull again.`, {cause, progressed});
}

function otherLength({file}: Download, {host}: URL, length: number | undefined): Transient {
	const sent = length === undefined ? 'more than' : `${length} in place of`;
	return new Transient(
		`${host} sent ${sent} the ${file.size} bytes of ${file.path}: a proxy or a login page may be in between.`,
	);
}

function corrupt(client: HubClient, {repo, file}: Download, digest: string): ExlError {
	const {host} = new URL(client.settings.endpoint);
	const name = file.algorithm === 'sha256' ? 'SHA-256' : 'Git SHA-1';
	const message =
		`${file.path} of ${repo} arrived damaged twice: ${host} says its ${name} is ${file.digest}, ` +
		`what came has ${digest}. Try another network: something on the way changes it.`;
	return new ExlError('EXL_DOWNLOAD_CORRUPT', message);
}
