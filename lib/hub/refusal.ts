import {ExlError} from '../errors/index.js';
import type {Reply} from './client.js';
import {retryAfter, Transient} from './retry.js';
import type {HubSettings} from './settings.js';

/** What was asked for, as messages name it. */
export type Wanted = {
	/** `org/name` */
	readonly repo: string;
	readonly revision?: string;
	/** One of its files. */
	readonly file?: string;
};

/** There may be other revisions to choose from. */
export class NoRevision extends ExlError {}

/** The error of an answer that is not what was asked for; a `Transient` where another try may help. */
export function refusal(reply: Reply, wanted: Wanted, settings: HubSettings): Error {
	const {status, response, url, isHub} = reply;
	if (status === 429) return tooMany(reply, settings);
	const message = `${url.host} failed to answer (${status}). Run the same pull again later.`;
	// A store gives files by addresses that expire: the hub makes new ones.
	if (status === 408 || status >= 500 || !isHub) {
		return new Transient(message, {retryAfterMs: retryAfter(response.headers['retry-after'])});
	}
	const code = String(response.headers['x-error-code'] ?? '');
	if (status === 401) return unauthorised(code, wanted, settings);
	if (status === 403) return forbidden(code, wanted, settings);
	if (status === 404) return missing(code, wanted, settings);
	return new ExlError('EXL_DOWNLOAD_FAILED', `${url.host} answered ${status} to the request for ${url.pathname}.`);
}

function tooMany({response, url}: Reply, {token}: HubSettings): Transient {
	const retryAfterMs = retryAfter(response.headers['retry-after']);
	const when = retryAfterMs === undefined ? 'later' : `in ${Math.ceil(retryAfterMs / 1000)} s`;
	const advice = token ? '' : ' With a token in HF_TOKEN more is allowed.';
	const message = `${url.host} allows no more requests for now (429): run the same pull again ${when}.${advice}`;
	return new Transient(message, {retryAfterMs});
}

function unauthorised(code: string, wanted: Wanted, settings: HubSettings): ExlError {
	const {token} = settings;
	if (code === 'GatedRepo') return token ? noAccess(wanted, settings) : gated(wanted, settings);
	if (code !== '' || token === undefined) return notFound(wanted, settings);
	const message = `The hub refused the token from ${token.from}: it is wrong, expired or revoked.`;
	return new ExlError('EXL_DOWNLOAD_DENIED', message);
}

function forbidden(code: string, wanted: Wanted, settings: HubSettings): ExlError {
	if (settings.token) return noAccess(wanted, settings);
	if (code === 'GatedRepo') return gated(wanted, settings);
	const message = `${hostOf(settings)} refuses to give ${wanted.repo} (403): a token in HF_TOKEN may be needed.`;
	return new ExlError('EXL_DOWNLOAD_DENIED', message);
}

function gated({repo}: Wanted, {endpoint, tokenFile}: HubSettings): ExlError {
	const message =
		`${repo} is gated and no token was given. Accept its terms at ${endpoint}/${repo}, ` +
		`then set HF_TOKEN to a token of that account (or write it to ${tokenFile}).`;
	return new ExlError('EXL_DOWNLOAD_DENIED', message);
}

function noAccess({repo}: Wanted, {endpoint, token}: HubSettings): ExlError {
	const message =
		`The token from ${token!.from} has no access to ${repo}: accept its terms at ${endpoint}/${repo} ` +
		"with the token's account, wait for its owner's approval, or allow the token to read gated models.";
	return new ExlError('EXL_DOWNLOAD_DENIED', message);
}

function missing(code: string, wanted: Wanted, settings: HubSettings): ExlError {
	const {repo, revision, file} = wanted;
	if (file !== undefined && code !== 'RepoNotFound') {
		const message = `${hostOf(settings)} lists ${file} in ${repo} but does not have it (404): tell the owner of the model.`;
		return new ExlError('EXL_MODEL_NOT_FOUND', message);
	}
	if (code === 'RevisionNotFound') {
		return new NoRevision('EXL_MODEL_NOT_FOUND', `${repo} has no revision ${revision} at ${settings.endpoint}.`);
	}
	return notFound(wanted, settings);
}

function notFound({repo}: Wanted, {endpoint, token}: HubSettings): ExlError {
	const advice = token ? `a private model needs a token that may read it` : 'a private model needs HF_TOKEN';
	return new ExlError('EXL_MODEL_NOT_FOUND', `${repo} was not found at ${endpoint}: check the name; ${advice}.`);
}

export function hostOf({endpoint}: HubSettings): string {
	return new URL(endpoint).host;
}
