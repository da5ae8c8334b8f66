import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {ExlError} from '../errors/index.js';
import {cacheDirectory, huggingFaceHome} from '../weights/index.js';

export type Environment = {readonly [name: string]: string | undefined};

export type Token = {
	readonly value: string;
	/** The variable or file it came from: never shown itself. */
	readonly from: string;
};

export type HubSettings = {
	/** Without a slash at the end. */
	readonly endpoint: string;
	/** The root of the cache. */
	readonly cache: string;
	/** Where a token is looked for, and the one that is there. */
	readonly tokenFile: string;
	readonly token: Token | undefined;
	/** The variable that forbids to use the network. */
	readonly offline: string | undefined;
	/** How long to wait for a byte of a listing and of a file. */
	readonly listingTimeoutMs: number;
	readonly downloadTimeoutMs: number;
	/** Before the first retry; doubles with each. */
	readonly retryDelayMs: number;
	/** Variables that name proxies. */
	readonly environment: Environment;
};

const truths = new Set(['1', 'on', 'yes', 'true']);
const isTrue = (value: string | undefined) => truths.has((value ?? '').toLowerCase());

/** The variables that every client of the hub obeys. @throws {ExlError} `EXL_INVALID_ARGUMENT` for one that makes no sense. */
export async function readSettings(environment: Environment): Promise<HubSettings> {
	const {HF_ENDPOINT, HF_TOKEN_PATH, HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT} = environment;
	const tokenFile = HF_TOKEN_PATH || join(huggingFaceHome(environment), 'token');
	return {
		endpoint: endpointOf(HF_ENDPOINT || 'https://huggingface.co'),
		cache: cacheDirectory(environment),
		tokenFile,
		token: isTrue(environment['HF_HUB_DISABLE_IMPLICIT_TOKEN']) ? undefined : await findToken(environment, tokenFile),
		offline: ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'].find(name => isTrue(environment[name])),
		listingTimeoutMs: seconds('HF_HUB_ETAG_TIMEOUT', HF_HUB_ETAG_TIMEOUT, 10),
		downloadTimeoutMs: seconds('HF_HUB_DOWNLOAD_TIMEOUT', HF_HUB_DOWNLOAD_TIMEOUT, 30),
		retryDelayMs: 1000,
		environment,
	};
}

function endpointOf(text: string): string {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url && /^https?:$/.test(url.protocol) && !url.username && !url.search) return url.href.replace(/\/+$/, '');
	throw new ExlError('EXL_INVALID_ARGUMENT', 'HF_ENDPOINT must be a URL such as https://huggingface.co', {
		op: 'HF_ENDPOINT',
	});
}

async function findToken(environment: Environment, file: string): Promise<Token | undefined> {
	for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
		const value = environment[name]?.trim();
		if (value) return checkToken({value, from: name});
	}
	const value = await readFile(file, 'utf8').then(
		text => text.trim(),
		() => '',
	);
	return value === '' ? undefined : checkToken({value, from: file});
}

function checkToken(token: Token): Token {
	if (/^[\x21-\x7e]+$/.test(token.value)) return token;
	throw new ExlError('EXL_INVALID_ARGUMENT', `${token.from} holds no token: it has characters that no token has`);
}

/** In milliseconds. */
function seconds(name: string, text: string | undefined, otherwise: number): number {
	const value = text ? Number(text) : otherwise;
	if (value > 0 && value <= 86_400) return value * 1000;
	throw new ExlError('EXL_INVALID_ARGUMENT', `${name} must be a number of seconds; got ${JSON.stringify(text)}`);
}
