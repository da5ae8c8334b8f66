import {execFile} from 'node:child_process';
import {cpSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {transformWithEsbuild} from 'vite';
import {beforeAll, describe, expect, it} from 'vitest';
import {packageRoot} from '../../lib/native/index.js';
import {modelsDirectory, temporaryDirectory} from '../support/directory.js';
import {type Block, blocksOf, pages} from './pages.js';

// Code that users copy: all of it has types and runs as it is printed. The model it names is the bundled one with a
// template, under that name in a cache of its own.

// Those of docs/api are signatures, taken from code that compiles.
const written = pages.filter(page => !page.startsWith('docs/api/'));
const blocks = written.flatMap(blocksOf).filter(({language}) => ['ts', 'js'].includes(language));
/** Only Electron runs what is for its processes. */
const isElectron = ({code}: Block) => /'electron'|process\.parentPort/.test(code);
const runnable = blocks.filter(block => !isElectron(block));
const modelName = 'HuggingFaceTB/SmolLM2-135M-Instruct';

/** In the package, where `node-exllama` is this one. */
const folder = join(packageRoot, 'build/docs');
const fileOf = ({place, language}: Block) => `${place.replace(/\W+/g, '-')}.${language === 'ts' ? 'ts' : 'mjs'}`;

beforeAll(() => {
	rmSync(folder, {recursive: true, force: true});
	mkdirSync(folder, {recursive: true});
});

describe('code of the pages', () => {
	it('is found', () => {
		expect(blocks.length).toBeGreaterThan(15);
		expect(blocks.length - runnable.length).toBe(2);
	});

	it('has no error of types', async () => {
		for (const block of blocks) writeFileSync(join(folder, fileOf(block)), `${block.code}\nexport {};\n`);
		const compilerOptions = {
			...{noEmit: true, strict: true, allowJs: true, checkJs: true, skipLibCheck: true},
			...{target: 'es2022', lib: ['ES2023', 'ESNext.Disposable'], module: 'esnext', moduleResolution: 'bundler'},
			types: ['node'],
			paths: {'node-exllama': ['../../dist/index.d.ts']},
		};
		const config = {compilerOptions, include: ['*.ts', '*.mjs', '../../test/docs/given/*.d.ts']};
		writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
		const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc');
		expect(await node([tsc, '-p', folder], {LD_PRELOAD: ''})).toEqual({stdout: '', stderr: '', code: 0});
	});

	it.each(runnable.map(block => [block.place, block] as const))('%s runs', async (_, block) => {
		const whole = `${givenTo(block)}\n${block.code}\n${block.after}`;
		const {code} = await transformWithEsbuild(whole, 'block.ts', {target: 'es2022', format: 'esm', sourcemap: false});
		const file = join(folder, `${fileOf(block)}.run.mjs`);
		writeFileSync(file, code);
		const result = await node([file], {HF_HUB_CACHE: await cacheWithModel(), PORT: '0', EXL_THREADS: '2'});
		expect(result).toMatchObject({code: 0});
		if (!/console\.error/.test(whole)) expect(result.stderr).toBe('');
		if (/console\.log|stdout\.write/.test(whole)) expect(result.stdout).toMatch(/\S/);
		expect(result.stdout).not.toMatch(/\bfalse\b/);
	});
});

/** What `given/given.d.ts` declares, as far as a block takes it for granted. */
function givenTo({code}: Block): string {
	const directory = JSON.stringify(join(modelsDirectory, 'tinystories-656k-exl2'));
	const given = {
		model: `await using model = await (await import('node-exllama')).loadModel('${modelName}');`,
		messages: "const messages = [{role: 'user', content: 'Once upon a time'}];",
		path: `const path = ${directory};`,
		small: `const small = ${directory};`,
		large: `const large = ${directory};`,
	};
	const isTaken = (name: string) =>
		new RegExp(`\\b${name}\\b`).test(code) &&
		!new RegExp(`^\\s*(?:const|let|await using) \\{?${name}\\b`, 'm').test(code);
	return Object.entries(given)
		.filter(([name]) => isTaken(name))
		.map(([, line]) => line)
		.join('\n');
}

/** A cache of the hub that has the model of the pages. */
async function cacheWithModel(): Promise<string> {
	const cache = await temporaryDirectory();
	const repository = join(cache, `models--${modelName.replace('/', '--')}`);
	const commit = 'c'.repeat(40);
	const snapshot = join(repository, 'snapshots', commit);
	cpSync(join(modelsDirectory, 'tinystories-656k-exl2'), snapshot, {recursive: true});
	writeFileSync(join(snapshot, 'chat_template.jinja'), '{% for m in messages %}{{ m.content }} {% endfor %}');
	mkdirSync(join(repository, 'refs'));
	writeFileSync(join(repository, 'refs/main'), commit);
	return cache;
}

function node(args: string[], env: Record<string, string> = {}) {
	return new Promise<{stdout: string; stderr: string; code: unknown}>(resolve => {
		const options = {cwd: packageRoot, env: {...process.env, ...env}};
		execFile(process.execPath, args, options, (error, stdout, stderr) =>
			resolve({stdout, stderr, code: error?.code ?? 0}),
		);
	});
}
