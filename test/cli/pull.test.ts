import {readdirSync, readFileSync, statSync} from 'node:fs';
import {createServer} from 'node:http';
import {createServer as createHttps} from 'node:https';
import {connect} from 'node:net';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {commit, FakeHub, listen, sha256} from '../hub/hub.js';
import {modelFiles, weights} from '../hub/support.js';
import {temporaryDirectory} from '../support/directory.js';
import {Running, run, tiny} from './command.js';

async function setUp(files: Record<string, string | Buffer> = modelFiles) {
	const hub = await FakeHub.start(files);
	const cache = await temporaryDirectory();
	const env = {HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_HOME: cache, NO_PROXY: '*'};
	const blob = join(cache, 'models--org--name', 'blobs', sha256(weights));
	return {hub, cache, env, blob, directory: join(cache, 'models--org--name', 'snapshots', commit)};
}

/** Sends half of the weights and then nothing more. */
function stopHalfway(hub: FakeHub): void {
	hub.mischief = (_, response, path) => {
		if (!path.endsWith('.safetensors')) return false;
		response.writeHead(200, {'content-length': weights.length});
		response.write(weights.subarray(0, 150_000));
		return true;
	};
}

/** Waits until a file has that size. */
async function grown(file: string, size: number): Promise<void> {
	while ((statSync(file, {throwIfNoEntry: false})?.size ?? 0) < size) await new Promise(done => setTimeout(done, 20));
}

test('a model is pulled, listed, used by its name and removed', async () => {
	const files = Object.fromEntries(readdirSync(tiny).map(name => [name, readFileSync(join(tiny, name))]));
	const {env, directory} = await setUp(files);
	const generate = ['generate', 'org/name', '--prompt', 'Once', '--max-tokens', '2', '--device', 'cpu'];
	const before = await run(generate, '', env);
	expect(before.code).toBe(1);
	expect(before.stderr).toMatch(/^EXL_MODEL_NOT_FOUND: .* npx node-exllama pull org\/name\n$/);

	expect(await run(['pull', 'org/name'], '', env)).toEqual({
		code: 0,
		stdout: `${directory}\n`,
		stderr: expect.stringMatching(/^\d+ files, [\d.]+ KiB downloaded\n$/),
	});
	expect((await run(generate, '', env)).code).toBe(0);

	const listed = await run(['list'], '', env);
	expect(listed.stdout).toMatch(/^org\/name@main +[\d.]+ KiB +\d+ files +01234567\n$/);
	const {models} = JSON.parse((await run(['list', '--json'], '', env)).stdout);
	expect(models).toMatchObject([{name: 'org/name', revisions: [{commit, refs: ['main'], directory}]}]);

	expect((await run(['rm', 'org/name'], '', env)).stdout).toMatch(/^[\d.]+ KiB given back\n$/);
	expect((await run(['list'], '', env)).stdout).toBe('no models\n');
	const gone = await run(['rm', 'org/name', '--json'], '', env);
	expect(gone).toMatchObject({code: 1, stdout: ''});
	expect(gone.stderr).toMatch(/^EXL_MODEL_NOT_FOUND: org\/name is not in /);
});

test('--json is one object', async () => {
	const {env, directory} = await setUp();
	const {code, stdout, stderr} = await run(['pull', 'org/name', '--json', '--exclude', '*.json'], '', env);
	expect({code, stderr}).toEqual({code: 0, stderr: ''});
	expect(JSON.parse(stdout)).toEqual({
		...{name: 'org/name', revision: 'main', commit, directory, files: ['model.safetensors']},
		...{bytes: weights.length, downloadedBytes: weights.length},
	});
});

test('what was killed goes on where it stopped', async () => {
	const {hub, env, blob, directory} = await setUp();
	stopHalfway(hub);
	const first = new Running(['pull', 'org/name'], env);
	await grown(`${blob}.incomplete`, 150_000);
	first.process.kill('SIGKILL');
	await first.ended;

	hub.mischief = () => false;
	expect((await run(['pull', 'org/name'], '', env)).code).toBe(0);
	expect(hub.requests.at(-1)?.headers.range).toBe('bytes=150000-');
	expect(readFileSync(join(directory, 'model.safetensors')).equals(weights)).toBe(true);
});

test('Ctrl-C ends it, and what is there stays', async () => {
	const {hub, env, blob} = await setUp();
	stopHalfway(hub);
	const running = new Running(['pull', 'org/name'], env);
	await grown(`${blob}.incomplete`, 150_000);
	running.interrupt();
	expect(await running.ended).toMatchObject({code: 130, stdout: '', stderr: ''});
	expect(statSync(`${blob}.incomplete`).size).toBe(150_000);
});

test('two at once download once', async () => {
	const {hub, env, blob, directory} = await setUp();
	let released = () => {};
	hub.mischief = (_, response, path) => {
		if (!path.endsWith('.safetensors')) return false;
		response.writeHead(200, {'content-length': weights.length});
		response.write(weights.subarray(0, 150_000));
		released = () => response.end(weights.subarray(150_000));
		return true;
	};
	const first = new Running(['pull', 'org/name'], env);
	await grown(`${blob}.incomplete`, 150_000);
	const second = new Running(['pull', 'org/name'], env);
	while (second.stderr === '') await new Promise(done => setTimeout(done, 20));
	expect(second.stderr).toBe('Another program is downloading model.safetensors: waiting for it.\n');
	released();
	for (const {ended} of [first, second]) expect(await ended).toMatchObject({code: 0, stdout: `${directory}\n`});
	expect(hub.count('model.safetensors')).toBe(1);
});

test('a failure is one line', async () => {
	const {env} = await setUp();
	const {code, stdout, stderr} = await run(['pull', 'org/other'], '', env);
	expect({code, stdout}).toEqual({code: 1, stdout: ''});
	expect(stderr).toMatch(/^EXL_MODEL_NOT_FOUND: org\/other was not found at http\S+: check the name; .*\.\n$/);
	expect((await run(['pull', '../other'], '', env)).code).toBe(2);
});

test('an encrypted hub, through a proxy', async () => {
	const {hub, env, directory} = await setUp();
	const pem = join(__dirname, '../hub/localhost.pem');
	const inner = hub.endpoint;
	const tls = createHttps({key: readFileSync(pem), cert: readFileSync(pem)}, (request, response) => {
		response.writeHead(307, {location: new URL(request.url!, inner).href}).end();
	});
	const {port} = new URL(await listen(tls, 'https'));
	// The certificate is for this name, which only the proxy can resolve.
	const targets: string[] = [];
	const proxy = createServer().on('connect', (request, socket) => {
		targets.push(request.url!);
		const target = connect(Number(port), '127.0.0.1', () => {
			socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
			target.pipe(socket).pipe(target);
		});
		for (const each of [socket, target]) each.on('error', () => socket.destroy());
	});
	const variables = {...env, NO_PROXY: '127.0.0.1', HTTPS_PROXY: await listen(proxy), HF_ENDPOINT: 'https://hub.test'};

	const stranger = await run(['pull', 'org/name'], '', variables);
	expect(stranger).toMatchObject({code: 1, stdout: ''});
	expect(stranger.stderr).toMatch(
		/^EXL_DOWNLOAD_FAILED: The certificate of hub\.test is not accepted: .*\. If your network inspects connections, name its certificate in NODE_EXTRA_CA_CERTS\.\n$/,
	);

	// This hub points to one that is not encrypted.
	const trusting = await run(['pull', 'org/name'], '', {...variables, NODE_EXTRA_CA_CERTS: pem});
	expect(trusting).toMatchObject({code: 1, stdout: ''});
	expect(trusting.stderr).toMatch(/^EXL_DOWNLOAD_FAILED: hub\.test redirects to an address that is not encrypted/);

	tls.removeAllListeners('request').on('request', hub.listener);
	expect(await run(['pull', 'org/name'], '', {...variables, NODE_EXTRA_CA_CERTS: pem})).toMatchObject({
		code: 0,
		stdout: `${directory}\n`,
	});
	expect(new Set(targets)).toEqual(new Set(['hub.test:443']));
});
