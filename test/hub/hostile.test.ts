import {existsSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {mkdir} from 'node:fs/promises';
import type {ServerResponse} from 'node:http';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {closedPort, commit, FakeHub, fail, gitSha1, type Mischief, send, sha256} from './hub.js';
import {modelFiles, type Puller, pullerOf, weights} from './support.js';

const isWeights = (path: string) => path.endsWith('/model.safetensors');

/** Does something else for the weights, the first `times` times. */
function onWeights(times: number, mischief: (...args: Parameters<Mischief>) => void): Mischief {
	return (request, response, path) => {
		if (!isWeights(path) || times-- <= 0) return false;
		mischief(request, response, path);
		return true;
	};
}

/** Without saying how long it is. */
function endLater(response: ServerResponse, content: string | Buffer): void {
	response.flushHeaders();
	response.end(content);
}

async function hostile(mischief: Mischief, variables?: Record<string, string>): Promise<[FakeHub, Puller, string]> {
	const hub = await FakeHub.start(modelFiles);
	hub.mischief = mischief;
	return [hub, await pullerOf(hub, variables), new URL(hub.endpoint).host];
}

/** What must be true after a failure: the name is not there, and what is under the name of a digest has it. */
function expectNothingFalse(puller: Puller): void {
	expect(existsSync(join(puller.folder, 'refs'))).toBe(false);
	expect(existsSync(join(puller.folder, 'snapshots'))).toBe(false);
	if (!existsSync(join(puller.folder, 'blobs'))) return;
	for (const blob of puller.blobs().filter(name => !name.endsWith('.incomplete'))) {
		const content = readFileSync(join(puller.folder, 'blobs', blob));
		expect([sha256(content), gitSha1(content)]).toContain(blob);
	}
}

describe('what another try mends', () => {
	const ranges = (hub: FakeHub) => hub.requests.filter(({path}) => isWeights(path)).map(({headers}) => headers.range);

	test.each([0, 1, 65_536, weights.length - 1])('a connection that breaks after %i bytes', async length => {
		const [hub, puller] = await hostile(
			onWeights(1, (_, response) => {
				response.writeHead(200, {'content-length': weights.length});
				response.write(weights.subarray(0, length), () => response.destroy());
				response.flushHeaders();
			}),
		);
		await puller.pull();
		expect(puller.read('model.safetensors').equals(weights)).toBe(true);
		expect(ranges(hub)).toHaveLength(2);
		expect(puller.progress.at(-1)?.[0]).toBe(puller.progress.at(-1)?.[1]);
	});

	test('a connection that breaks again and again but brings something each time', async () => {
		const piece = Math.ceil(weights.length / 12);
		const [hub, puller] = await hostile(
			onWeights(11, (request, response) => {
				const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
				const headers = {'content-range': `bytes ${from}-${weights.length - 1}/${weights.length}`};
				response.writeHead(from > 0 ? 206 : 200, {...headers, 'content-length': weights.length - from});
				response.write(weights.subarray(from, from + piece), () => setTimeout(() => response.destroy(), 20));
			}),
		);
		await puller.pull();
		expect(puller.read('model.safetensors').equals(weights)).toBe(true);
		expect(ranges(hub).length).toBeGreaterThan(5);
	});

	test('an end that comes too early, without a length', async () => {
		const [, puller] = await hostile(onWeights(1, (_, response) => response.end(weights.subarray(0, 1000))));
		await puller.pull();
		expect(puller.read('model.safetensors').equals(weights)).toBe(true);
	});

	test('a hub that hangs, before the head and in the middle', async () => {
		let calls = 0;
		const [hub, puller] = await hostile(
			onWeights(2, (_, response) => {
				if (calls++ === 0) return;
				response.writeHead(200, {'content-length': weights.length});
				response.write(weights.subarray(0, 100));
			}),
		);
		await puller.pull();
		expect(puller.read('model.safetensors').equals(weights)).toBe(true);
		expect(ranges(hub)).toEqual([undefined, undefined, 'bytes=100-']);
	});

	test('a digest that is wrong once', async () => {
		const damaged = Buffer.from(weights);
		damaged[7]! ^= 1;
		const [hub, puller] = await hostile(onWeights(1, (request, response) => send(request, response, damaged)));
		await puller.pull();
		expect(puller.read('model.safetensors').equals(weights)).toBe(true);
		expect(ranges(hub)).toEqual([undefined, undefined]);
	});

	test.each([429, 500, 502, 503, 504, 408])('%i, and the wait that was asked for', async status => {
		const [, puller, host] = await hostile(
			onWeights(2, (_, response) => fail(response, status, undefined, {'retry-after': '0'})),
		);
		await puller.pull();
		expect(puller.notes[0]).toMatch(new RegExp(`^${host} .*\\(${status}\\).* Trying again in 0 s\\.$`));
	});

	test('failures of the listing', async () => {
		let times = 0;
		const [, puller] = await hostile((_, response, path) => {
			if (!path.startsWith('/api/') || times++ % 3 === 2) return false;
			if (times % 3 === 1) fail(response, 503);
			else response.socket?.resetAndDestroy();
			return true;
		});
		await puller.pull();
	});
});

describe('going on with an earlier download', () => {
	const begun = async (mischief: Mischief, content: Buffer) => {
		const [hub, puller, host] = await hostile(mischief);
		await mkdir(join(puller.folder, 'blobs'), {recursive: true});
		writeFileSync(join(puller.folder, 'blobs', `${sha256(weights)}.incomplete`), content);
		return [hub, puller, host] as const;
	};
	const half = weights.subarray(0, 150_000);

	test('takes the rest', async () => {
		const [hub, puller] = await begun(() => false, half);
		const {bytes, downloadedBytes} = await puller.pull();
		expect(bytes - downloadedBytes).toBe(half.length);
		expect(puller.read('model.safetensors').equals(weights)).toBe(true);
		expect(hub.requests.map(({headers}) => headers.range)).toContain(`bytes=${half.length}-`);
	});

	test('begins again if ranges are refused', async () => {
		const whole: Mischief = (request, response, path) => {
			if (!isWeights(path)) return false;
			delete request.headers.range;
			send(request, response, weights);
			return true;
		};
		const [, puller] = await begun(whole, half);
		await puller.pull();
		expect(puller.read('model.safetensors').equals(weights)).toBe(true);
		expect(puller.progress.at(-1)?.[0]).toBe(puller.progress.at(-1)?.[1]);
	});

	test('begins again after a 416', async () => {
		const [, puller] = await begun(
			onWeights(1, (_, response) => fail(response, 416)),
			half,
		);
		await puller.pull();
		expect(puller.read('model.safetensors').equals(weights)).toBe(true);
	});

	test('begins again if another part comes', async () => {
		const [, puller] = await begun(
			onWeights(1, (_, response) => {
				response.writeHead(206, {'content-range': `bytes 5-${weights.length - 1}/${weights.length}`});
				response.end(weights.subarray(5));
			}),
			half,
		);
		await puller.pull();
		expect(puller.read('model.safetensors').equals(weights)).toBe(true);
	});

	test.each([
		['damaged', Buffer.alloc(150_000)],
		['too long', Buffer.alloc(weights.length + 1)],
		['as long as the whole, and damaged', Buffer.alloc(weights.length)],
		['complete', weights],
	])('what is there is %s', async (_, content) => {
		const [, puller] = await begun(() => false, content);
		await puller.pull();
		expect(puller.read('model.safetensors').equals(weights)).toBe(true);
	});

	test('a login page does not cost what is there', async () => {
		const page = '<html>Please log in</html>';
		const [, puller, host] = await begun(
			onWeights(99, (_, response) => response.setHeader('content-length', page.length).end(page)),
			half,
		);
		expect(await puller.failure()).toBe(
			`EXL_DOWNLOAD_FAILED: ${host} sent 26 in place of the 300000 bytes of model.safetensors: a proxy or a login page may be in between.`,
		);
		expect(statSync(join(puller.folder, 'blobs', `${sha256(weights)}.incomplete`)).size).toBe(half.length);
	});
});

describe('what ends in one sentence', () => {
	const forAll =
		(answer: (response: Parameters<Mischief>[1]) => void): Mischief =>
		(_, response) => {
			answer(response);
			return true;
		};
	const token = {HF_TOKEN: 'hf_secret'};
	const always = (status: number, code?: string, headers?: object) =>
		forAll(response => fail(response, status, code, headers));

	test.each<[string, Mischief, Record<string, string>, string]>([
		[
			'gated, no token',
			always(401, 'GatedRepo'),
			{},
			'EXL_DOWNLOAD_DENIED: org/name is gated and no token was given. Accept its terms at HUB/org/name, then set HF_TOKEN to a token of that account (or write it to CACHE/home/token).',
		],
		[
			'gated, token without access',
			always(403, 'GatedRepo'),
			token,
			"EXL_DOWNLOAD_DENIED: The token from HF_TOKEN has no access to org/name: accept its terms at HUB/org/name with the token's account, wait for its owner's approval, or allow the token to read gated models.",
		],
		[
			'403 without a code',
			always(403),
			token,
			"EXL_DOWNLOAD_DENIED: The token from HF_TOKEN has no access to org/name: accept its terms at HUB/org/name with the token's account, wait for its owner's approval, or allow the token to read gated models.",
		],
		[
			'403 without a token',
			always(403),
			{},
			'EXL_DOWNLOAD_DENIED: HOST refuses to give org/name (403): a token in HF_TOKEN may be needed.',
		],
		[
			'no such model',
			always(404, 'RepoNotFound'),
			{},
			'EXL_MODEL_NOT_FOUND: org/name was not found at HUB: check the name; a private model needs HF_TOKEN.',
		],
		[
			'no such model, or private',
			always(401, 'RepoNotFound'),
			{},
			'EXL_MODEL_NOT_FOUND: org/name was not found at HUB: check the name; a private model needs HF_TOKEN.',
		],
		[
			'private, with a token',
			always(404),
			token,
			'EXL_MODEL_NOT_FOUND: org/name was not found at HUB: check the name; a private model needs a token that may read it.',
		],
		[
			'a bad token',
			always(401),
			token,
			'EXL_DOWNLOAD_DENIED: The hub refused the token from HF_TOKEN: it is wrong, expired or revoked.',
		],
		[
			'too many requests',
			always(429, undefined, {'retry-after': '3600'}),
			{},
			'EXL_DOWNLOAD_FAILED: HOST allows no more requests for now (429): run the same pull again in 3600 s. With a token in HF_TOKEN more is allowed.',
		],
		[
			'a broken hub',
			always(500),
			{},
			'EXL_DOWNLOAD_FAILED: HOST failed to answer (500). Run the same pull again later.',
		],
		[
			'another status',
			always(418),
			{},
			'EXL_DOWNLOAD_FAILED: HOST answered 418 to the request for /api/models/org/name/revision/main.',
		],
		[
			'a hub that hangs',
			() => true,
			{HF_HUB_ETAG_TIMEOUT: '0.1'},
			'EXL_DOWNLOAD_FAILED: Cannot reach HOST: no answer. Check the network; HTTPS_PROXY names a proxy, HF_ENDPOINT another hub.',
		],
		[
			'a hub that hangs up',
			forAll(response => response.socket?.resetAndDestroy()),
			{},
			'EXL_DOWNLOAD_FAILED: Cannot reach HOST: the connection broke. Check the network; HTTPS_PROXY names a proxy, HF_ENDPOINT another hub.',
		],
		[
			'no hub',
			forAll(response => response.end('<html>Please log in</html>')),
			{},
			'EXL_DOWNLOAD_FAILED: HUB does not answer as a Hugging Face hub does: it answered "<html>Please log in</html>". Check HF_ENDPOINT, and that no login page of the network is in between.',
		],
		[
			'a commit that is none',
			forAll(response => response.end('{"sha": "../../../etc"}')),
			{},
			'EXL_DOWNLOAD_FAILED: HUB does not answer as a Hugging Face hub does: it answered "{\\"sha\\": \\"../../../etc\\"}". Check HF_ENDPOINT, and that no login page of the network is in between.',
		],
		[
			'redirects without end',
			forAll(response => response.writeHead(302, {location: '/again'}).end()),
			{},
			'EXL_DOWNLOAD_FAILED: HOST redirects without end.',
		],
		[
			'a redirect to nowhere',
			forAll(response => response.writeHead(302, {location: 'file:///etc/passwd'}).end()),
			{},
			'EXL_DOWNLOAD_FAILED: HOST redirects to an address that is not encrypted or no address: file:///etc/passwd',
		],
		[
			'a file that is gone',
			onWeights(99, (_, response) => fail(response, 404, 'EntryNotFound')),
			{},
			'EXL_MODEL_NOT_FOUND: HOST lists model.safetensors in org/name but does not have it (404): tell the owner of the model.',
		],
		[
			'gated only when it comes to files',
			onWeights(99, (_, response) => fail(response, 401, 'GatedRepo')),
			{},
			'EXL_DOWNLOAD_DENIED: org/name is gated and no token was given. Accept its terms at HUB/org/name, then set HF_TOKEN to a token of that account (or write it to CACHE/home/token).',
		],
		[
			'a file that never comes whole',
			onWeights(99, (_, response) => endLater(response, '')),
			{},
			'EXL_DOWNLOAD_FAILED: HOST broke off model.safetensors. What is there is kept; run the same pull again.',
		],
		[
			'a file that stops',
			onWeights(99, (_, response) => response.writeHead(200, {'content-length': weights.length}).flushHeaders()),
			{HF_HUB_DOWNLOAD_TIMEOUT: '0.1'},
			'EXL_DOWNLOAD_FAILED: HOST stopped sending model.safetensors. What is there is kept; run the same pull again.',
		],
		[
			'a file that is longer than it should be',
			onWeights(99, (_, response) => endLater(response, Buffer.concat([weights, weights]))),
			{},
			'EXL_DOWNLOAD_FAILED: HOST sent more than the 300000 bytes of model.safetensors: a proxy or a login page may be in between.',
		],
		[
			'a token that is none',
			() => false,
			{HF_TOKEN: 'hf_a\nb'},
			'EXL_INVALID_ARGUMENT: HF_TOKEN holds no token: it has characters that no token has',
		],
		[
			'an endpoint that is none',
			() => false,
			{HF_ENDPOINT: 'huggingface'},
			'EXL_INVALID_ARGUMENT: HF_ENDPOINT must be a URL such as https://huggingface.co',
		],
		[
			'a time limit that is none',
			() => false,
			{HF_HUB_DOWNLOAD_TIMEOUT: 'soon'},
			'EXL_INVALID_ARGUMENT: HF_HUB_DOWNLOAD_TIMEOUT must be a number of seconds; got "soon"',
		],
	])('%s', async (_, mischief, variables, sentence) => {
		const [hub, puller, host] = await hostile(mischief, variables);
		const expected = sentence
			.replace(/\bHUB\b/, hub.endpoint)
			.replace('HOST', host)
			.replace('CACHE', puller.cache);
		const message = await puller.failure();
		expect(message).toBe(expected);
		expect(message).not.toContain('hf_secret');
		expectNothingFalse(puller);
	});

	test('a wrong digest, twice', async () => {
		const [, puller, host] = await hostile(
			onWeights(99, (request, response) => send(request, response, Buffer.alloc(weights.length))),
		);
		const sha = sha256(Buffer.alloc(weights.length));
		expect(await puller.failure()).toBe(
			`EXL_DOWNLOAD_CORRUPT: model.safetensors of org/name arrived damaged twice: ${host} says its SHA-256 is ${sha256(weights)}, what came has ${sha}. Try another network: something on the way changes it.`,
		);
		expectNothingFalse(puller);
	});

	test('a wrong digest of a small file, twice', async () => {
		const [, puller] = await hostile((request, response, path) => {
			if (!path.endsWith('/config.json')) return false;
			send(request, response, Buffer.from('{"model_type": "lLama"}'));
			return true;
		});
		expect(await puller.failure()).toContain(
			`says its Git SHA-1 is ${gitSha1(modelFiles['config.json'])}, what came has`,
		);
		expectNothingFalse(puller);
	});

	test('no hub there', async () => {
		const hub = await FakeHub.start();
		hub.endpoint = `http://127.0.0.1:${await closedPort()}`;
		const puller = await pullerOf(hub);
		const host = new URL(hub.endpoint).host;
		expect(await puller.failure()).toBe(
			`EXL_DOWNLOAD_FAILED: Cannot reach ${host}: connection refused. Check the network; HTTPS_PROXY names a proxy, HF_ENDPOINT another hub.`,
		);
	});

	test('a name that is none', async () => {
		const puller = await pullerOf(await FakeHub.start());
		for (const name of ['', '../name', 'a/b/c', 'org/name@../x', 'org/name@', 'org/name:Q4']) {
			expect(await puller.failure(name)).toBe(
				`EXL_INVALID_ARGUMENT: ${JSON.stringify(name)} is no name of a model: expected ORG/NAME[@REVISION]`,
			);
		}
	});

	test('no such revision', async () => {
		const hub = await FakeHub.start(modelFiles);
		hub.branches.set('4.0bpw', {commit, files: modelFiles});
		const puller = await pullerOf(hub);
		expect(await puller.failure('org/name@3.0bpw')).toBe(
			'EXL_MODEL_NOT_FOUND: org/name has no revision 3.0bpw; it has main, 4.0bpw.',
		);
	});

	test('weights in branches alone', async () => {
		const hub = await FakeHub.start({'README.md': '#', 'measurement.json': '{}'});
		for (const name of ['2.4bpw', '6.0bpw-h8', 'gh-pages']) hub.branches.set(name, {commit, files: modelFiles});
		expect(await (await pullerOf(hub)).failure()).toBe(
			'EXL_MODEL_NOT_FOUND: org/name has no weights in main, but in other branches, one for each width: 2.4bpw, 6.0bpw-h8. Choose one: npx node-exllama pull org/name@2.4bpw',
		);
	});

	test.each([
		[
			['model.gguf'],
			'org/name has its weights as *.gguf, which cannot be loaded: look for a version of the model in *.safetensors.',
		],
		[
			['pytorch_model.bin'],
			'org/name has its weights as *.bin, which cannot be loaded: look for a version of the model in *.safetensors.',
		],
		[
			[],
			'org/name has no weights in main: it may be an adapter or a collection, or its weights are in another branch.',
		],
	])('weights that cannot be loaded: %j', async (names, sentence) => {
		const hub = await FakeHub.start({'config.json': '{}', ...Object.fromEntries(names.map(name => [name, 'w']))});
		const puller = await pullerOf(hub);
		expect(await puller.failure()).toBe(`EXL_MODEL_UNSUPPORTED: ${sentence}`);
		expect(hub.count('/resolve/')).toBe(0);
	});
});
