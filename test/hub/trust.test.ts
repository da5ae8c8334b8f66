import {readdirSync, writeFileSync} from 'node:fs';
import {mkdir} from 'node:fs/promises';
import {createServer} from 'node:http';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {FakeHub, fail, gitSha1, listen, type Mischief, send} from './hub.js';
import {modelFiles, type Puller, pullerOf, weights} from './support.js';

const isWeights = (path: string) => path.endsWith('/model.safetensors');

async function withToken(mischief: Mischief): Promise<[FakeHub, Puller]> {
	const hub = await FakeHub.start(modelFiles);
	hub.mischief = mischief;
	return [hub, await pullerOf(hub, {HF_TOKEN: 'hf_secret'})];
}

test.each([
	'../evil.safetensors',
	'/evil.safetensors',
	'1_Pooling/..',
	'1_Pooling/\\evil',
	'a\0.safetensors',
	'c:.safetensors',
	'LICENSE.',
])('a file named %j is written nowhere', async path => {
	const hub = await FakeHub.start(modelFiles);
	hub.extraEntries = [{type: 'file', path, size: 4, oid: gitSha1('evil')}];
	const puller = await pullerOf(hub);
	expect(await puller.failure(undefined, {include: ['*']})).toBe(
		`EXL_DOWNLOAD_FAILED: ${new URL(hub.endpoint).host} lists a file ${JSON.stringify(path)}, which cannot be written below the cache: nothing was downloaded.`,
	);
	expect(readdirSync(puller.cache)).toEqual([]);
	expect(hub.count('/resolve/')).toBe(0);
});

test.each(['../../../evil', 'a/b', '', gitSha1('').toUpperCase()])('a digest %j names no blob', async oid => {
	const hub = await FakeHub.start(modelFiles);
	hub.extraEntries = [{type: 'file', path: 'tokenizer.model', size: 4, oid}];
	const puller = await pullerOf(hub);
	expect(await puller.failure()).toContain('does not answer as a Hugging Face hub does');
	expect(readdirSync(puller.cache)).toEqual([]);
});

test('the token goes to the hub and to nobody else', async () => {
	const seen: {authorization: string | undefined; range: string | undefined}[] = [];
	const store = await listen(
		createServer((request, response) => {
			const {authorization, range} = request.headers;
			seen.push({authorization, range});
			// An address that has expired: the hub gives a new one.
			if (seen.length === 1) fail(response, 403);
			else send(request, response, weights);
		}),
	);
	const [hub, puller] = await withToken((_, response, path) => {
		if (!isWeights(path)) return false;
		response.writeHead(302, {location: `${store}/bucket/x?signature=1`}).end();
		return true;
	});
	await puller.pull();
	expect(puller.read('model.safetensors').equals(weights)).toBe(true);
	expect(seen).toEqual([
		{authorization: undefined, range: undefined},
		{authorization: undefined, range: undefined},
	]);
	for (const {headers} of hub.requests) expect(headers.authorization).toBe('Bearer hf_secret');
});

test('the same host by another name is another host', async () => {
	const [hub, puller] = await withToken((request, response, path) => {
		if (!isWeights(path) || request.headers.host?.startsWith('localhost')) return false;
		response.writeHead(307, {location: `http://localhost:${new URL(hub.endpoint).port}${request.url}`}).end();
		return true;
	});
	await puller.pull();
	const elsewhere = hub.requests.filter(({headers}) => headers.host?.startsWith('localhost'));
	expect(elsewhere).toHaveLength(1);
	expect(elsewhere[0]?.headers.authorization).toBeUndefined();
});

test('where tokens are looked for', async () => {
	const hub = await FakeHub.start(modelFiles);
	const used = async (variables: Record<string, string>) => {
		await (await pullerOf(hub, variables)).pull();
		return hub.requests.at(-1)?.headers.authorization;
	};
	const {cache} = await pullerOf(hub);
	const file = join(cache, 'mine');
	writeFileSync(file, 'hf_file\n');
	await mkdir(join(cache, 'hf'));
	writeFileSync(join(cache, 'hf', 'token'), 'hf_home');
	expect(await used({})).toBeUndefined();
	expect(await used({HF_HOME: join(cache, 'hf')})).toBe('Bearer hf_home');
	expect(await used({HF_HOME: join(cache, 'hf'), HF_TOKEN_PATH: file})).toBe('Bearer hf_file');
	expect(await used({HF_TOKEN_PATH: file, HF_TOKEN: ' hf_variable '})).toBe('Bearer hf_variable');
	expect(await used({HF_TOKEN: 'hf_variable', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1'})).toBeUndefined();
});
