import {createHash} from 'node:crypto';
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import {type AddressInfo, createServer as createTcp, type Socket, type Server as TcpServer} from 'node:net';
import {onTestFinished} from 'vitest';

export const commit = '0123456789abcdef0123456789abcdef01234567';

export type Files = {readonly [path: string]: string | Buffer};

/** Answers a request in place of the hub, if it returns true. */
export type Mischief = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

/** Files as large as this are kept as LFS keeps them, with a SHA-256. */
const lfsBytes = 1000;

export const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');
export const gitSha1 = (content: string | Buffer) =>
	createHash('sha1')
		.update(`blob ${Buffer.byteLength(content)}\0`)
		.update(content)
		.digest('hex');

/** A hub on loopback that speaks what pull needs of Hugging Face's, with faults on demand. */
export class FakeHub {
	/** Of each branch or tag. */
	readonly branches = new Map<string, {commit: string; files: Files}>();
	/** What was asked for: `GET /path`. */
	readonly requests: {readonly path: string; readonly headers: IncomingMessage['headers']}[] = [];
	mischief: Mischief = () => false;
	pageSize = 1000;
	/** Added to the lists of files as they are. */
	extraEntries: object[] = [];
	endpoint = '';

	readonly repo: string;

	private constructor(repo: string) {
		this.repo = repo;
	}

	static async start(files: Files = {}, repo = 'org/name'): Promise<FakeHub> {
		const hub = new FakeHub(repo);
		hub.branches.set('main', {commit, files});
		hub.endpoint = await listen(createServer(hub.listener));
		return hub;
	}

	/** For a server of another kind. */
	readonly listener = (request: IncomingMessage, response: ServerResponse): void => {
		this.#answer(request, response);
	};

	/** How often paths that contain `part` were asked for. */
	count(part: string): number {
		return this.requests.filter(({path}) => path.includes(part)).length;
	}

	#answer(request: IncomingMessage, response: ServerResponse): unknown {
		const url = new URL(request.url!, this.endpoint);
		const path = decodeURIComponent(url.pathname);
		this.requests.push({path, headers: request.headers});
		if (this.mischief(request, response, path)) return;

		const api = `/api/models/${this.repo}/`;
		const resolve = `/${this.repo}/resolve/`;
		if (path.startsWith(`${api}revision/`)) return this.#revision(response, path.slice(`${api}revision/`.length));
		if (path.startsWith(`${api}tree/`)) return this.#tree(response, url, path.slice(`${api}tree/`.length));
		if (path === `${api}refs`) return json(response, {branches: [...this.branches.keys()].map(name => ({name}))});
		if (path.startsWith(resolve)) return this.#resolve(request, response, path.slice(resolve.length));
		return fail(response, 404, 'RepoNotFound');
	}

	#find(revision: string): {commit: string; files: Files} | undefined {
		return this.branches.get(revision) ?? [...this.branches.values()].find(each => each.commit === revision);
	}

	#revision(response: ServerResponse, revision: string): unknown {
		const found = this.#find(revision);
		if (!found) return fail(response, 404, 'RevisionNotFound');
		return json(response, {sha: found.commit, siblings: Object.keys(found.files).map(rfilename => ({rfilename}))});
	}

	#tree(response: ServerResponse, url: URL, revision: string): void {
		const entries = Object.entries(this.#find(revision)!.files).map(([path, content]) => {
			const size = Buffer.byteLength(content);
			const lfs = size >= lfsBytes && {lfs: {oid: sha256(content), size, pointerSize: 134}};
			return {type: 'file', path, size, oid: gitSha1(content), ...lfs};
		});
		const all = [{type: 'directory', path: 'folder', size: 0, oid: gitSha1('')}, ...entries, ...this.extraEntries];
		const from = Number(url.searchParams.get('cursor') ?? 0);
		const to = from + this.pageSize;
		if (to < all.length) {
			url.searchParams.set('cursor', String(to));
			response.setHeader('link', `<${url.href}>; rel="next"`);
		}
		json(response, all.slice(from, to));
	}

	#resolve(request: IncomingMessage, response: ServerResponse, path: string): unknown {
		const [revision = '', ...rest] = path.split('/');
		const content = this.#find(revision)?.files[rest.join('/')];
		if (content === undefined) return fail(response, 404, 'EntryNotFound');
		return send(request, response, Buffer.from(content));
	}
}

/** A file, or from where the request wants it. */
export function send(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
	const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
	const headers = {'content-range': `bytes ${from}-${content.length - 1}/${content.length}`};
	response.writeHead(from > 0 ? 206 : 200, {
		'content-length': content.length - from,
		...(from > 0 && headers),
	});
	response.end(content.subarray(from));
}

export function json(response: ServerResponse, value: unknown): void {
	response.setHeader('content-type', 'application/json');
	response.end(JSON.stringify(value));
}

export function fail(response: ServerResponse, status: number, code?: string, headers: object = {}): void {
	response.writeHead(status, {...(code && {'x-error-code': code}), ...headers});
	response.end(`{"error":"${code ?? status}"}`);
}

/** Until the end of the test. @returns Its address. */
export async function listen(server: Server | TcpServer, scheme = 'http'): Promise<string> {
	await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
	// Those of tunnels too, which the server does not count as its own.
	const sockets = new Set<Socket>();
	server.on('connection', (socket: Socket) => sockets.add(socket));
	onTestFinished(async () => {
		for (const socket of sockets) socket.destroy();
		await new Promise(resolve => server.close(resolve));
	});
	return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A port where nobody listens. */
export async function closedPort(): Promise<number> {
	const server = createTcp();
	await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
	const {port} = server.address() as AddressInfo;
	await new Promise(resolve => server.close(resolve));
	return port;
}
