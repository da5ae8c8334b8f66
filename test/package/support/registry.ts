import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {createServer, type Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import {basename} from 'node:path';

export interface Manifest {
	readonly name: string;
	readonly version: string;
	readonly [field: string]: unknown;
}

interface Published {
	readonly manifest: Manifest;
	/** Undefined: it is known, but nobody on this system may want it. */
	readonly tarball?: string;
}

/** As much of an npm registry as installing takes: what is published here and nothing else, on this machine. */
export class Registry {
	/** Everything that was asked for and is not there. */
	readonly missed: string[] = [];
	readonly #packages = new Map<string, Published[]>();
	readonly #server: Server = createServer((request, response) => {
		const path = decodeURIComponent(new URL(request.url!, 'http://registry').pathname);
		const body = this.#answer(path.slice(1));
		if (body === undefined) this.missed.push(path);
		response.writeHead(body === undefined ? 404 : 200, {'content-type': 'application/json'});
		response.end(body ?? '{}');
	});

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
	}

	async listen(): Promise<void> {
		this.#server.listen(0, '127.0.0.1');
		await once(this.#server, 'listening');
	}

	close(): void {
		this.#server.closeAllConnections();
		this.#server.close();
	}

	publish(manifest: Manifest, tarball?: string): void {
		const entry = tarball === undefined ? {manifest} : {manifest, tarball};
		this.#packages.set(manifest.name, [...(this.#packages.get(manifest.name) ?? []), entry]);
	}

	#answer(path: string): string | Buffer | undefined {
		const [name, file] = path.split('/-/');
		const published = this.#packages.get(name!);
		if (!published) return undefined;
		if (file === undefined) return JSON.stringify(this.#packument(name!, published));
		const found = published.find(({tarball}) => tarball !== undefined && basename(tarball) === file);
		return found && readFileSync(found.tarball!);
	}

	#packument(name: string, published: readonly Published[]) {
		const versions = published.map(({manifest, tarball}) => {
			const dist =
				tarball === undefined
					? {tarball: `${this.url}${name}/-/none.tgz`}
					: {tarball: `${this.url}${name}/-/${basename(tarball)}`, integrity: integrityOf(tarball)};
			return [manifest.version, {...manifest, dist}] as const;
		});
		return {
			name,
			'dist-tags': {latest: versions.at(-1)![0]},
			versions: Object.fromEntries(versions),
			// Some clients want no package that is younger than a day.
			time: Object.fromEntries(versions.map(([version]) => [version, '2026-01-01T00:00:00.000Z'])),
		};
	}
}

function integrityOf(tarball: string): string {
	return `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
}
