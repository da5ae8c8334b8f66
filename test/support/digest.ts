import {createHash, type Hash} from 'node:crypto';
import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {expect, type TestContext} from 'vitest';
import {packageRoot} from '../../lib/native/index.js';

/**
The digests in test/digests are of builds of this compiler. Another may contract a product and a sum where this one does
not, so it is told nothing.
*/
const compilerOfDigests = 'GNU 12 x86_64';

/** Set by `npm run digests`, which keeps what is found. */
const keeps = process.env.EXL_KEEP_DIGESTS !== undefined;

/** By suite, by backend. */
type Kept = Record<string, Record<string, string>>;

/** One number for many results: for each suite and backend, in the order in which they come. */
export class Digest {
	readonly #file: string;
	readonly #hashes = new Map<string, {readonly hash: Hash; results: number}>();

	/** @param file Its name in test/digests; one per test file, since those run side by side. */
	constructor(file: string) {
		this.#file = join(packageRoot, 'test/digests', `${file}.json`);
	}

	/** @param result Numbers, or what JSON can say. */
	add(backend: string, name: string, result: Float64Array | object | string): void {
		const of = this.#hashes.get(backend) ?? {hash: createHash('sha256'), results: 0};
		this.#hashes.set(backend, of);
		of.hash.update(`${name}\0`).update(result instanceof Float64Array ? bytesOf(result) : JSON.stringify(result));
		of.results++;
	}

	/**
	Expects the digests that are kept of `suite`. If results are meant to change, `npm run digests` keeps new ones, in a
	commit that says why.

	@param results Of each backend; if there are fewer, some cases did not run.
	*/
	check({skip}: Pick<TestContext, 'skip'>, suite: string, results: number): void {
		const compiler = compilerOfBuild();
		if (compiler !== compilerOfDigests) skip(`digests are of ${compilerOfDigests}, this build is of ${compiler}`);
		if ([...this.#hashes.values()].some(of => of.results !== results)) skip('not all cases ran');
		const found = Object.fromEntries(
			[...this.#hashes].map(([name, {hash}]) => [name, hash.digest('hex').slice(0, 16)]),
		);
		const kept = readKept(this.#file);
		if (keeps) {
			const all = {...kept, [suite]: {...kept[suite], ...found}};
			mkdirSync(dirname(this.#file), {recursive: true});
			writeFileSync(this.#file, `${JSON.stringify(all, undefined, '\t')}\n`);
		}
		const ofSuite = readKept(this.#file)[suite] ?? {};
		// A machine runs some of the targets.
		expect(found).toEqual(Object.fromEntries(Object.keys(found).map(name => [name, ofSuite[name]])));
	}
}

function readKept(file: string): Kept {
	return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Kept) : {};
}

/** All NaN are one: which of them an operation makes is not defined. */
function bytesOf(values: Float64Array): Uint8Array {
	const copy = values.map(value => (Number.isNaN(value) ? Number.NaN : value));
	return new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength);
}

/** Of what is in build/; another addon is tested under a sanitizer. */
function compilerOfBuild(): string {
	const folder = join(packageRoot, 'build/CMakeFiles');
	if (process.env.EXL_ADDON_PATH || !existsSync(folder)) return 'another kind';
	const files = readdirSync(folder).map(version => join(folder, version, 'CMakeCXXCompiler.cmake'));
	const text = readFileSync(files.find(file => existsSync(file))!, 'utf8');
	const read = (name: string) => new RegExp(`set\\(${name} "([^"]*)"\\)`).exec(text)?.[1] ?? '';
	const major = read('CMAKE_CXX_COMPILER_VERSION').split('.')[0];
	return `${read('CMAKE_CXX_COMPILER_ID')} ${major} ${read('CMAKE_CXX_LIBRARY_ARCHITECTURE').split('-')[0]}`;
}
