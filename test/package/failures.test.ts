import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, it} from 'vitest';
import {hostPlatform, platforms} from '../../scripts/release/platforms.mjs';
import {cleanEnvironment, publish, type Release, run} from './support/release.js';

// What a user reads where there is no binary that can be loaded.

let release: Release;
const {version} = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'));
const host = hostPlatform()!;
const binaries = 'node_modules/@node-exllama';

beforeAll(async () => {
	release = await publish();
}, 180_000);
afterAll(() => release?.remove());

/** The message of the error with which the first use ends; importing the package never fails. */
async function failure(app: string, before = ''): Promise<string> {
	const code = `
		${before}
		const {loadModel, isExlError} = require('node-exllama');
		const model = require.resolve('node-exllama/package.json').replace('package.json', 'models/tinystories-656k-exl2');
		loadModel(model).catch(error => console.log(isExlError(error) && error.code, error.message));
	`;
	const env = cleanEnvironment(release.home, release.registry.url);
	return (await run(process.execPath, ['-e', code], {cwd: app, env})).trim();
}

it('names the systems there are binaries for', async () => {
	const app = await release.install('other-processor');
	const message = await failure(app, "Object.defineProperty(process, 'arch', {value: 'riscv64'});");
	expect(message).toMatch(
		new RegExp(
			`^EXL_NATIVE_NOT_FOUND node-exllama has no binary for ${process.platform}-riscv64.*, only for linux-x64, `,
		),
	);
	expect(message).toContain('npx node-exllama build');
});

it('tells of --omit=optional', async () => {
	const app = await release.install('omitted', ['--omit=optional']);
	const message = await failure(app);
	expect(message).toContain(
		`EXL_NATIVE_NOT_FOUND @node-exllama/${host.name}, the binary of node-exllama for ${host.name}`,
	);
	expect(message).toContain('--omit=optional, or a lock file written on another system');
	expect(message).toContain(`npm install @node-exllama/${host.name}@${version}`);
});

it('tells of a node_modules from another system', async () => {
	const app = await release.install('moved');
	const other = platforms.find(({os}) => os !== process.platform)!;
	rmSync(join(app, binaries, host.name), {recursive: true});
	mkdirSync(join(app, binaries, other.name), {recursive: true});
	writeFileSync(join(app, binaries, other.name, 'package.json'), '{}');
	expect(await failure(app)).toContain(`node_modules comes from another system, with @node-exllama/${other.name}`);
});

it.runIf(process.platform === 'linux' && process.arch === 'x64')('tells of another libc', async () => {
	const app = await release.install('musl');
	const musl = 'process.report.getReport = () => ({header: {}});';
	const message = await failure(app, musl);
	expect(message).toContain('@node-exllama/linux-x64-musl, the binary of node-exllama for linux-x64-musl');
	expect(message).toContain('node_modules comes from another system, with @node-exllama/linux-x64;');
});

const addonOf = (app: string) => join(app, binaries, host.name, `prebuilds/${host.os}-${host.cpu}/node-exllama.node`);

// Systems map a shared library before they look at it whole, and end a process that reads what is not there.
it('tells of a file that was cut short', async () => {
	const app = await release.install('cut');
	const whole = readFileSync(addonOf(app));
	rmSync(addonOf(app));
	writeFileSync(addonOf(app), whole.subarray(0, 5000));
	const message = await failure(app);
	expect(message).toContain(
		`EXL_NATIVE_NOT_FOUND ${addonOf(app)} is damaged, with 5000 bytes in place of ${whole.length}: install node-exllama again`,
	);
});

it('quotes the loader of the system on a damaged file', async () => {
	const app = await release.install('damaged');
	const bytes = readFileSync(addonOf(app));
	rmSync(addonOf(app));
	writeFileSync(addonOf(app), bytes.fill(0x2a, 0, 64));
	const message = await failure(app);
	expect(message).toContain(`EXL_NATIVE_NOT_FOUND ${addonOf(app)} cannot be loaded on ${host.name}`);
	expect(message).toContain('install node-exllama again');
	if (process.platform === 'linux') expect(message).toMatch(/: .*invalid ELF header$/);
});
