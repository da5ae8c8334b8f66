import {type ClientRequestArgs, request as requestHttp} from 'node:http';
import {Agent, request as requestHttps} from 'node:https';
import {BlockList, isIP, type Socket} from 'node:net';
import type {Duplex} from 'node:stream';
import {type ConnectionOptions, connect as connectTls} from 'node:tls';
import {ExlError} from '../errors/index.js';
import {describeNetworkError} from './network-error.js';
import type {Environment} from './settings.js';

export type HttpProxy = {
	readonly url: URL;
	/** Where it was named. */
	readonly variable: string;
};

/** The proxy for a request, by the variables that curl, Python and Git obey. @throws {ExlError} `EXL_INVALID_ARGUMENT`. */
export function proxyFor(target: URL, environment: Environment): HttpProxy | undefined {
	const scheme = target.protocol.slice(0, -1);
	const names = [`${scheme}_proxy`, `${scheme.toUpperCase()}_PROXY`, 'all_proxy', 'ALL_PROXY'];
	const variable = names.find(name => environment[name]);
	if (variable === undefined || isExempt(target, environment['no_proxy'] || environment['NO_PROXY'] || ''))
		return undefined;

	const value = environment[variable]!;
	const text = /^[a-z][a-z\d]*:\/\//i.test(value) ? value : `http://${value}`;
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url && /^https?:$/.test(url.protocol)) return {url, variable};
	const message = `${variable} must name a proxy as http://HOST:PORT or https://HOST:PORT; other kinds are not supported`;
	throw new ExlError('EXL_INVALID_ARGUMENT', message, {op: variable});
}

/** Entries are `*`, hosts, domains (`.example.org` or `example.org`, both with all below), addresses and their ranges. */
function isExempt({hostname, port, protocol}: URL, list: string): boolean {
	const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
	const actualPort = port || (protocol === 'https:' ? '443' : '80');
	return list.split(/[\s,]+/).some(entry => {
		if (entry === '*') return true;
		if (entry.includes('/')) return isIP(host) !== 0 && isInRange(host, entry);
		const [, name = '', entryPort] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
		if (entryPort !== undefined && entryPort !== actualPort) return false;
		const domain = name.toLowerCase().replace(/^\*?\./, '');
		return domain !== '' && (host === domain || host.endsWith(`.${domain}`));
	});
}

function isInRange(host: string, range: string): boolean {
	const [address = '', bits] = range.split('/');
	const family = isIP(address);
	const prefix = Number(bits);
	if (family === 0 || family !== isIP(host) || !(prefix >= 0 && prefix <= (family === 4 ? 32 : 128))) return false;
	const list = new BlockList();
	const type = family === 4 ? 'ipv4' : 'ipv6';
	list.addSubnet(address, prefix, type);
	return list.check(host, type);
}

/** `HOST:PORT`, without what a password could be in. */
export function proxyPlace({url}: HttpProxy): string {
	return `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`;
}

export function proxyHeaders({url}: HttpProxy): Record<string, string> {
	if (url.username === '') return {};
	const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
	return {'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}`};
}

export function proxyUnreachable(proxy: HttpProxy, cause: unknown): ExlError {
	const {variable} = proxy;
	const message =
		`Cannot reach the proxy ${proxyPlace(proxy)} of ${variable}: ${describeNetworkError(cause)}. ` +
		`Correct ${variable}, or name the hub's host in NO_PROXY to go without it.`;
	return new ExlError('EXL_DOWNLOAD_FAILED', message, {cause});
}

/** @param host What was to be reached. */
export function proxyRefused(proxy: HttpProxy, host: string, status: number): ExlError {
	const message =
		status === 407
			? `The proxy ${proxyPlace(proxy)} asks for a user name and password (407): ` +
				`set ${proxy.variable}=${proxy.url.protocol}//USER:PASSWORD@${proxyPlace(proxy)}.`
			: `The proxy ${proxyPlace(proxy)} refused to connect to ${host} (${status}).`;
	return new ExlError('EXL_DOWNLOAD_FAILED', message);
}

/** Encrypted connections through a proxy, which sees nothing but the host. */
export class TunnelAgent extends Agent {
	readonly #proxy: HttpProxy;
	readonly #timeoutMs: number;

	constructor(proxy: HttpProxy, timeoutMs: number) {
		super({keepAlive: true});
		this.#proxy = proxy;
		this.#timeoutMs = timeoutMs;
	}

	/** Returns nothing: the agent waits for the callback then. */
	override createConnection(
		options: ClientRequestArgs,
		callback?: (error: Error | null, stream: Duplex) => void,
	): undefined {
		const host = String(options.host);
		const {port} = options;
		this.#tunnel(isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`, host).then(
			socket => callback?.(null, connectTls({...options, socket} as ConnectionOptions)),
			error => callback?.(error, undefined as never),
		);
	}

	#tunnel(path: string, host: string): Promise<Socket> {
		const proxy = this.#proxy;
		const request = proxy.url.protocol === 'https:' ? requestHttps : requestHttp;
		return new Promise((resolve, reject) => {
			const {hostname, port} = proxy.url;
			const place = {hostname: hostname.replace(/^\[|\]$/g, ''), ...(port && {port})};
			const headers = {host: path, ...proxyHeaders(proxy)};
			const asked = request({...place, method: 'CONNECT', path, headers, agent: false, timeout: this.#timeoutMs});
			asked
				.on('timeout', () => asked.destroy(Object.assign(new Error('time-out'), {code: 'ETIMEDOUT'})))
				.on('error', error => reject(proxyUnreachable(proxy, error)))
				.on('connect', (response, socket) => {
					socket.setTimeout(0);
					const status = response.statusCode ?? 0;
					if (status >= 200 && status < 300) return resolve(socket);
					socket.destroy();
					reject(proxyRefused(proxy, host, status));
				})
				.on('response', response => {
					response.destroy();
					reject(proxyRefused(proxy, host, response.statusCode ?? 0));
				})
				.end();
		});
	}
}
