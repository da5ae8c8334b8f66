import {createServer, request} from 'node:http';
import {connect} from 'node:net';
import {describe, expect, test} from 'vitest';
import {proxyFor} from '../../lib/hub/proxy.js';
import {closedPort, FakeHub, fail, listen} from './hub.js';
import {modelFiles, pullerOf, weights} from './support.js';

describe('which proxy', () => {
	const https = new URL('https://hub.example.org/x');
	const http = new URL('http://10.1.2.3:8000/x');
	const of = (url: URL, environment: Record<string, string>) => {
		const proxy = proxyFor(url, environment);
		return proxy && `${proxy.url.href} of ${proxy.variable}`;
	};

	test('by the scheme, small letters first', () => {
		expect(of(https, {})).toBeUndefined();
		expect(of(https, {HTTP_PROXY: 'http://a:1'})).toBeUndefined();
		expect(of(https, {HTTPS_PROXY: 'http://a:1'})).toBe('http://a:1/ of HTTPS_PROXY');
		expect(of(https, {HTTPS_PROXY: 'http://a:1', https_proxy: 'b:2'})).toBe('http://b:2/ of https_proxy');
		expect(of(https, {ALL_PROXY: 'https://a'})).toBe('https://a/ of ALL_PROXY');
		expect(of(http, {HTTP_PROXY: 'a', HTTPS_PROXY: 'b'})).toBe('http://a/ of HTTP_PROXY');
		expect(of(https, {HTTPS_PROXY: ''})).toBeUndefined();
	});

	test.each(['socks5://a:1', 'http://', 'ftp://a'])('not %s', value => {
		expect(() => of(https, {HTTPS_PROXY: value})).toThrow(
			'HTTPS_PROXY must name a proxy as http://HOST:PORT or https://HOST:PORT; other kinds are not supported',
		);
	});

	test.each([
		['*', true],
		['hub.example.org', true],
		['example.org', true],
		['.example.org', true],
		['*.example.org', true],
		['EXAMPLE.org', true],
		['a.b, example.org', true],
		['example.org:443', true],
		['example.org:444', false],
		['ample.org', false],
		['b.example.org', false],
		['', false],
		[',', false],
	])('NO_PROXY %j', (list, exempt) => {
		expect(of(https, {HTTPS_PROXY: 'a', NO_PROXY: list}) === undefined).toBe(exempt);
	});

	test.each([
		['10.0.0.0/8', 'http://10.1.2.3:8000', true],
		['10.2.0.0/16', 'http://10.1.2.3:8000', false],
		['10.1.2.3', 'http://10.1.2.3:8000', true],
		['10.1.2.3:8000', 'http://10.1.2.3:8000', true],
		['10.1.2.3:8001', 'http://10.1.2.3:8000', false],
		['fd00::/8', 'http://[fd00::1]:80', true],
		['[fd00::1]:80', 'http://[fd00::1]', true],
		['fd00::1', 'http://[fd00::1]', true],
		['fd00::/8', 'http://10.1.2.3', false],
		['10.0.0.0/x', 'http://10.1.2.3', false],
	])('NO_PROXY %s and %s', (list, url, exempt) => {
		expect(of(new URL(url), {HTTP_PROXY: 'a', NO_PROXY: list}) === undefined).toBe(exempt);
	});
});

/** A proxy that counts what goes through it. */
async function startProxy(answer?: number) {
	const seen: {target: string; authorization: string | undefined}[] = [];
	const server = createServer((incoming, response) => {
		seen.push({target: incoming.url!, authorization: incoming.headers['proxy-authorization']});
		if (answer) return fail(response, answer);
		const {'proxy-authorization': _, ...headers} = incoming.headers;
		return request(incoming.url!, {headers}, reply => {
			response.writeHead(reply.statusCode!, reply.headers);
			reply.pipe(response);
		}).end();
	});
	server.on('connect', (incoming, socket) => {
		seen.push({target: incoming.url!, authorization: incoming.headers['proxy-authorization']});
		if (answer) {
			socket.end(`HTTP/1.1 ${answer} No\r\n\r\n`);
			return;
		}
		const [host, port] = incoming.url!.split(':');
		const target = connect(Number(port), host, () => {
			socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
			target.pipe(socket).pipe(target);
		});
		socket.on('error', () => target.destroy());
		target.on('error', () => socket.destroy());
	});
	const url = await listen(server);
	return {seen, url, host: new URL(url).host};
}

test('plain requests go through a proxy, with its password', async () => {
	const proxy = await startProxy();
	const hub = await FakeHub.start(modelFiles);
	const puller = await pullerOf(hub, {HTTP_PROXY: proxy.url.replace('//', '//me:pass%20word@')});
	await puller.pull();
	expect(puller.read('model.safetensors').equals(weights)).toBe(true);
	expect(proxy.seen).toHaveLength(hub.requests.length);
	const authorization = `Basic ${Buffer.from('me:pass word').toString('base64')}`;
	for (const each of proxy.seen) expect(each).toEqual({target: expect.stringContaining(hub.endpoint), authorization});
});

test('NO_PROXY goes without', async () => {
	const proxy = await startProxy();
	const puller = await pullerOf(await FakeHub.start(modelFiles), {HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1'});
	await puller.pull();
	expect(proxy.seen).toEqual([]);
});

test.each(['http', 'https'])('a proxy that is not there, for %s', async scheme => {
	const hub = await FakeHub.start(modelFiles);
	const variable = `${scheme.toUpperCase()}_PROXY`;
	const place = `127.0.0.1:${await closedPort()}`;
	const endpoint = hub.endpoint.replace('http:', `${scheme}:`);
	const puller = await pullerOf(hub, {[variable]: `http://me:secret@${place}`, HF_ENDPOINT: endpoint});
	expect(await puller.failure()).toBe(
		`EXL_DOWNLOAD_FAILED: Cannot reach the proxy ${place} of ${variable}: connection refused. Correct ${variable}, or name the hub's host in NO_PROXY to go without it.`,
	);
});

test.each(['http', 'https'])('a proxy that wants a password, for %s', async scheme => {
	const proxy = await startProxy(407);
	const hub = await FakeHub.start(modelFiles);
	const variable = `${scheme.toUpperCase()}_PROXY`;
	const endpoint = hub.endpoint.replace('http:', `${scheme}:`);
	const puller = await pullerOf(hub, {[variable]: `http://me:secret@${proxy.host}`, HF_ENDPOINT: endpoint});
	expect(await puller.failure()).toBe(
		`EXL_DOWNLOAD_FAILED: The proxy ${proxy.host} asks for a user name and password (407): set ${variable}=http://USER:PASSWORD@${proxy.host}.`,
	);
});

test('a proxy that refuses', async () => {
	const proxy = await startProxy(403);
	const hub = await FakeHub.start(modelFiles);
	const puller = await pullerOf(hub, {HTTPS_PROXY: proxy.url, HF_ENDPOINT: 'https://hub.test'});
	expect(await puller.failure()).toBe(
		`EXL_DOWNLOAD_FAILED: The proxy ${proxy.host} refused to connect to hub.test (403).`,
	);
	expect(proxy.seen).toEqual([{target: 'hub.test:443', authorization: undefined}]);
});

test('a proxy that hangs', async () => {
	const server = createServer(() => {});
	server.on('connect', () => {});
	const proxy = new URL(await listen(server)).host;
	const variables = {HTTPS_PROXY: proxy, HF_ENDPOINT: 'https://hub.test', HF_HUB_ETAG_TIMEOUT: '0.2'};
	const puller = await pullerOf(await FakeHub.start(), variables);
	expect(await puller.failure()).toBe(
		`EXL_DOWNLOAD_FAILED: Cannot reach the proxy ${proxy} of HTTPS_PROXY: no answer. Correct HTTPS_PROXY, or name the hub's host in NO_PROXY to go without it.`,
	);
});
