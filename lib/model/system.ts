import {readFileSync} from 'node:fs';
import {availableParallelism, release, totalmem} from 'node:os';
import {join} from 'node:path';
import {addon, glibcVersion, loadedFile, packageRoot} from '../native/index.js';

/** Versions, and the machine. */
export type SystemInfo = {
	/** Of this package. */
	readonly version: string;
	/** `Node v20.20.2`, and what it is embedded in: `Electron 37.2.0`. */
	readonly runtime: string;
	/** `linux-x64` */
	readonly platform: string;
	/** Of the operating system's kernel. */
	readonly release: string;
	/** `glibc 2.36` or `musl`; null where there is no choice. */
	readonly libc: string | null;
	/** The native build that is loaded; null if there is none. */
	readonly addon: string | null;
	/** The kernels that the processor gets; null if there is no native build. */
	readonly cpuTarget: string | null;
	/** Threads this process may run at once. */
	readonly processors: number;
	readonly totalBytes: number;
	/** Variables that change what this package does. */
	readonly environment: Readonly<Record<string, string>>;
};

/** What a report of a fault needs to say about the machine. Loads nothing but the addon, and throws nothing. */
export function systemInfo(): SystemInfo {
	const {version} = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
	return {
		version,
		runtime: runtime(),
		platform: `${process.platform}-${process.arch}`,
		release: release(),
		libc: libc(),
		addon: orNull(loadedFile),
		cpuTarget: orNull(() => addon().cpuTarget()),
		processors: availableParallelism(),
		totalBytes: totalmem(),
		environment: environment(),
	};
}

function runtime(): string {
	const {bun, deno, electron} = process.versions;
	const host = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : electron ? `Electron ${electron}` : undefined;
	return [host, `Node ${process.version}`].filter(Boolean).join(', ');
}

function libc(): string | null {
	if (process.platform !== 'linux') return null;
	const version = glibcVersion();
	return version === undefined ? 'musl' : `glibc ${version}`;
}

function orNull(find: () => string): string | null {
	try {
		return find();
	} catch {
		return null;
	}
}

function environment(): Record<string, string> {
	const matter = Object.entries(process.env).filter(([name]) => /^(?:EXL_|CUDA_VISIBLE_DEVICES$)/.test(name));
	return Object.fromEntries(matter.map(([name, value]) => [name, value ?? '']));
}
