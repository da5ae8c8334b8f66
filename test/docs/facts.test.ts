import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {Command} from 'commander';
import {describe, expect, it} from 'vitest';
import {createProgram} from '../../lib/cli/program.js';
import {Terminal} from '../../lib/cli/terminal.js';
import * as exl from '../../lib/index.js';
import {packageRoot} from '../../lib/native/index.js';
import {cacheTypes} from '../../lib/options/index.js';
import {generateSchema} from '../../lib/sampling/options.js';
import {samplingTable} from '../../scripts/docs/sampling-table.mjs';
import {blocksOf, pages, textOf} from './pages.js';

const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));

describe('commands of the pages', () => {
	const program = createProgram(new Terminal(() => {}));
	const shell = pages.flatMap(blocksOf).filter(({language}) => language === 'sh');
	const lines = shell.flatMap(({code, place}) =>
		code.split('\n').map(line => ({place, line: line.replace(/ #.*/, '')})),
	);
	const ours = lines.filter(({line}) => /\bnode-exllama \w/.test(line) && !/npm install/.test(line));

	it.each(ours.map(({place, line}) => [place, line] as const))('%s: %s', (_, line) => {
		const [, name, rest = ''] = /\bnode-exllama (\w+)(.*)/.exec(line)!;
		const command = program.commands.find(found => found.name() === name);
		expect(command).toBeInstanceOf(Command);
		const known = command!.options.map(({long}) => long);
		for (const [flag] of rest.matchAll(/--[a-z-]+/g)) expect(known).toContain(flag);
	});

	it('of npm are scripts of the package', () => {
		const named = pages.flatMap(page => [...textOf(page).matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name));
		expect(named.length).toBeGreaterThan(5);
		for (const name of named) expect(Object.keys(manifest.scripts)).toContain(name);
	});
});

describe('tables', () => {
	it('of docs/sampling.md is that of the schema; npm run docs writes it', () => {
		const table = /<!-- options -->\n\n([\s\S]*?)\n\n<!-- end -->/.exec(textOf('docs/sampling.md'))?.[1];
		expect(table?.split('\n')).toEqual(samplingTable(generateSchema as never).split('\n'));
	});

	it('of the README name every architecture and cache', async () => {
		const {names} = await architectures();
		const rows = /\| architectures \| (.*?);/.exec(textOf('README.md'))?.[1]?.split(', ') ?? [];
		expect(rows.map(row => row.toLowerCase()).sort()).toEqual(names);
		for (const type of cacheTypes) expect(textOf('README.md')).toContain(`\`${type}\``);
	});

	it('of docs/getting-started.md name every architecture of config.json', async () => {
		for (const name of (await architectures()).all) expect(textOf('docs/getting-started.md')).toContain(name);
	});
});

it('lists every export in docs/api; npm run docs writes it', () => {
	const text = textOf('docs/api/README.md');
	const index = readFileSync(join(packageRoot, 'lib/index.ts'), 'utf8').replace(
		/\b(?:type|export|as)\b|from '.*'/g,
		'',
	);
	const names = [...new Set([...index.matchAll(/\b[A-Za-z]\w+/g)].map(([name]) => name))];
	expect(names).toEqual(expect.arrayContaining(Object.keys(exl)));
	for (const name of names) expect(text).toMatch(new RegExp(`^(?:### ${name}(?:\\(\\))?$|- \\[${name}\\])`, 'm'));
});

it('gives the two commands of a clone in README and CONTRIBUTING', () => {
	for (const page of ['README.md', 'CONTRIBUTING.md'])
		for (const command of ['npm ci && npm run demo', 'npm ci && npm test']) expect(textOf(page)).toContain(command);
});

/** As the error for one that is not there lists them. */
async function architectures(): Promise<{all: string[]; names: string[]}> {
	const {findArchitecture} = await import('../../lib/models/index.js');
	const strings = () => ['Nothing'];
	try {
		findArchitecture({file: 'config.json', strings} as never);
		throw new Error('there is an architecture of that name');
	} catch (error) {
		const all = /these are: (.*)$/.exec((error as Error).message)?.[1]?.split(', ') ?? [];
		return {all, names: all.map(name => name.replace('ForCausalLM', '').toLowerCase()).sort()};
	}
}
