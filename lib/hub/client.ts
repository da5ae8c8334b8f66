import {Agent as HttpAgent, type IncomingMessage, type RequestOptions, request as requestHttp} from 'node:http';
import {Agent as HttpsAgent, request as requestHttps} from 'node:https';
import {ExlError, isExlError} from '../errors/index.js';
import {codeOf, describeNetworkError, isCertificateError} from './network-error.js';
import {
	type HttpProxy,
	proxyFor,
	proxyHeaders,
	proxyPlace,
	proxyRefused,
	proxyUnreachable,
	TunnelAgent,
} from './proxy.js';
import {Transient} from './retry.js';
import type {HubSettings} from './settings.js';

export type Reply = {
	readonly response: IncomingMessage;
	readonly status: number;
	/** Where it came from, after redirects. */
	readonly url: URL;
	/** Whether the hub itself answered, and not a store it points to. */
	readonly isHub: boolean;
};

export type GetOptions = {
	readonly headers?: Readonly<Record<string, string>>;
	readonly timeoutMs: number;
	readonly signal: AbortSignal;
};

const mostRedirects = 10;

/**
Requests to a hub. `node:https`, since `fetch` of Node 20 knows no proxies.

The token goes to the hub alone: a redirect to another host, port or scheme goes without.
*/
export class HubClient {
	readonly settings: HubSettings;
	readonly #origin: string;
	readonly #http = new HttpAgent({keepAlive: true});
	readonly #https = new HttpsAgent({keepAlive: true});
	readonly #tunnels = new Map<string, TunnelAgent>();

	constructor(settings: HubSettings) {
		this.settings = settings;
		this.#origin = new URL(settings.endpoint).origin;
	}

	/** Follows redirects; the status may be any other. @throws {Transient} if the connection failed. */
	async get(address: string | URL, options: GetOptions): Promise<Reply> {
		let url = new URL(address);
		for (let redirects = 0; redirects <= mostRedirects; redirects++) {
			const response = await this.#send(url, options);
			const {statusCode: status = 0} = response;
			const {location} = response.headers;
			if (![301, 302, 303, 307, 308].includes(status) || location === undefined) {
				return {response, status, url, isHub: url.origin === this.#origin};
			}
			response.resume();
			url = follow(url, location);
		}
		throw new ExlError('EXL_DOWNLOAD_FAILED', `${new URL(address).host} redirects without end.`);
	}

	close(): void {
		for (const agent of [this.#http, this.#https, ...this.#tunnels.values()]) agent.destroy();
	}

	#send(url: URL, {headers, timeoutMs, signal}: GetOptions): Promise<IncomingMessage> {
		signal.throwIfAborted();
		const {token, environment} = this.settings;
		const proxy = proxyFor(url, environment);
		const isPlain = url.protocol === 'http:';
		const options: RequestOptions = {
			signal,
			timeout: timeoutMs,
			headers: {
				// Uncompressed, as the digests are of the plain bytes.
				'accept-encoding': 'identity',
				'user-agent': 'node-exllama',
				...(token && url.origin === this.#origin && {authorization: `Bearer ${token.value}`}),
				...headers,
			},
		};
		if (isPlain && proxy) throughPlainProxy(options, url, proxy);
		else options.agent = isPlain ? this.#http : proxy ? this.#tunnel(proxy, timeoutMs) : this.#https;

		const failure = (error: Error) => {
			if (signal.aborted) return signal.reason;
			return isPlain && proxy ? proxyUnreachable(proxy, error) : connectionFailure(url, error);
		};
		return new Promise((resolve, reject) => {
			const send = isPlain && proxy?.url.protocol !== 'https:' ? requestHttp : requestHttps;
			let answer: IncomingMessage | undefined;
			const request = (isPlain && proxy ? send(options) : send(url, options))
				.on('error', error => reject(failure(error)))
				.on('timeout', () => (answer ?? request).destroy(Object.assign(new Error('time-out'), {code: 'ETIMEDOUT'})))
				.on('response', response => {
					answer = response;
					if (isPlain && proxy && response.statusCode === 407) {
						response.destroy();
						reject(proxyRefused(proxy, url.host, 407));
					} else resolve(response);
				})
				.end();
		});
	}

	#tunnel(proxy: HttpProxy, timeoutMs: number): TunnelAgent {
		const agent = this.#tunnels.get(proxy.url.href) ?? new TunnelAgent(proxy, timeoutMs);
		this.#tunnels.set(proxy.url.href, agent);
		return agent;
	}
}

function follow(from: URL, location: string): URL {
	const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
	if (to && (to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:'))) return to;
	const message = `${from.host} redirects to an address that is not encrypted or no address: ${location.slice(0, 200)}`;
	throw new ExlError('EXL_DOWNLOAD_FAILED', message);
}

/** A proxy is asked for the whole address of what is not encrypted. */
function throughPlainProxy(options: RequestOptions, url: URL, proxy: HttpProxy): void {
	const [hostname, port] = /^\[?(.*?)\]?:(\d+)$/.exec(proxyPlace(proxy))!.slice(1);
	options.hostname = hostname;
	options.port = port;
	options.path = url.href;
	options.headers = {...options.headers, host: url.host, ...proxyHeaders(proxy)};
}

function connectionFailure(url: URL, error: Error): Error {
	if (isExlError(error)) return error;
	if (isCertificateError(error)) {
		const message =
			`The certificate of ${url.host} is not accepted: ${error.message}. ` +
			'If your network inspects connections, name its certificate in NODE_EXTRA_CA_CERTS.';
		return new ExlError('EXL_DOWNLOAD_FAILED', message, {cause: error});
	}
	const advice = 'Check the network; HTTPS_PROXY names a proxy, HF_ENDPOINT another hub.';
	const isFinal = codeOf(error) === 'ENOTFOUND';
	const message = `Cannot reach ${url.host}: ${describeNetworkError(error)}. ${advice}`;
	return isFinal
		? new ExlError('EXL_DOWNLOAD_FAILED', message, {cause: error})
		: new Transient(message, {cause: error});
}
