import {readFileSync, statSync} from 'node:fs';
import path from 'node:path';
import {ExlError} from '../errors/index.js';

type NodeGypBuild = ((directory: string) => unknown) & {resolve: (directory: string) => string};

/** Of package.json. */
interface Manifest {
	readonly version: string;
	/** Of this package: what npm installs beside it, one package for each system there are binaries for. */
	readonly optionalDependencies?: Readonly<Record<string, string>>;
	/** Of such a package: the size of its binary. */
	readonly bytes?: number;
}

/** The package: this file is `dist/native/find.js`, or `lib/native/find.ts` in tests. */
export const packageRoot: string = path.resolve(__dirname, '../..');

/**
What is loaded: the file that `EXL_ADDON_PATH` names; else a build in this package, or a prebuilt binary in it; else that of the
package for this system.

@throws {ExlError} `EXL_NATIVE_NOT_FOUND`.
*/
export function addonFile(): string {
	if (process.env.EXL_ADDON_PATH) return path.resolve(process.env.EXL_ADDON_PATH);
	const own = resolveBuild(packageRoot);
	if (typeof own === 'string') return own;

	const folder = packageFolder(systemPackage());
	const prebuilt = folder === undefined ? own : resolveBuild(folder);
	if (typeof prebuilt !== 'string') throw notFound(`${missing()}: ${reasonOf(prebuilt)}`, prebuilt);
	checkSize(prebuilt, folder!);
	return prebuilt;
}

/** Systems map a library before they look at it whole: of one that was cut short they end the process. */
function checkSize(file: string, folder: string): void {
	const {bytes} = readManifest(folder);
	const {size} = statSync(file);
	if (bytes === undefined || size === bytes) return;
	throw notFound(`${file} is damaged, with ${size} bytes in place of ${bytes}: install node-exllama again`, undefined);
}

/** The error of everything that keeps the addon from being loaded. */
export function notFound(message: string, cause: unknown): ExlError {
	return new ExlError('EXL_NATIVE_NOT_FOUND', message, {cause});
}

/** What the system's loader said, on one line. */
export function reasonOf(cause: unknown): string {
	return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0]!;
}

/** The folder of an installed package, looked for from here. */
export function packageFolder(name: string): string | undefined {
	try {
		return path.dirname(require.resolve(`${name}/package.json`));
	} catch {
		return undefined;
	}
}

/** `linux-x64`, or `linux-x64-musl`: what the packages with binaries are named after. */
export function systemName(): string {
	const musl = process.platform === 'linux' && glibcVersion() === undefined ? '-musl' : '';
	return `${process.platform}-${process.arch}${musl}`;
}

function systemPackage(): string {
	return `@node-exllama/${systemName()}`;
}

/** The build below `folder` that node-gyp-build picks, or its error. */
function resolveBuild(folder: string): string | Error {
	try {
		return (require('node-gyp-build') as NodeGypBuild).resolve(folder);
	} catch (error) {
		return error as Error;
	}
}

/** Why there is none for this system, and what to do. */
function missing(): string {
	const {version, optionalDependencies = {}} = readManifest(packageRoot);
	const names = Object.keys(optionalDependencies);
	const wanted = systemPackage();
	const where = `${systemName()}, Node ${process.version}`;

	// A clone, which has no such packages.
	if (names.length === 0) return `no native build of node-exllama fits ${where}; build it: npm run build`;
	if (!names.includes(wanted)) {
		const all = names.map(name => name.slice(name.indexOf('/') + 1)).join(', ');
		return `node-exllama has no binary for ${where}, only for ${all}; build one here, with CMake and a C++20 compiler: npx node-exllama build`;
	}
	const others = names.filter(name => packageFolder(name) !== undefined);
	const why =
		others.length > 0
			? `node_modules comes from another system, with ${others.join(', ')}; install again here`
			: '--omit=optional, or a lock file written on another system, leaves it out; install without, or add it';
	return `${wanted}, the binary of node-exllama for ${where}, is not installed: ${why} (npm install ${wanted}@${version})`;
}

function readManifest(folder: string): Manifest {
	return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
}

/** Undefined where another C library is used. */
export function glibcVersion(): string | undefined {
	const {report} = process as {report: NodeJS.ProcessReport & {excludeNetwork?: boolean}};
	// Or else it asks for the names of all that this process is connected to, which may take seconds.
	const before = report.excludeNetwork;
	report.excludeNetwork = true;
	const {header} = report.getReport() as unknown as {header?: {glibcVersionRuntime?: string}};
	if (before !== undefined) report.excludeNetwork = before;
	return header?.glibcVersionRuntime;
}
