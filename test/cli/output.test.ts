import {spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {temporaryDirectory} from '../support/directory.js';
import {changedModel, cli, type Ended, run, runJson, tiny} from './command.js';

const template = {chat_template: '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:'};
const few = ['--max-tokens', '20', '--device', 'cpu'];
const text = [__filename, '--cache-tokens', '256', '--length', '200'];

/** Every command that prints something. */
const commands: readonly (readonly [args: readonly string[], input?: string])[] = [
	[['--help']],
	[['--version']],
	[['bench', '--help']],
	[['generate', tiny, '--prompt', 'Once', ...few]],
	[['inspect', tiny]],
	[['perplexity', tiny, '--file', ...text]],
	[['bench', tiny, '--prompt-tokens', '4', '--gen-tokens', '4', '--repeat', '1']],
	[['list']],
	[['doctor']],
	[['chat', 'MODEL', ...few], 'Hi\nHo\n'],
];

/** With and without `--json`, which the first three do not know. */
const lines = commands.flatMap(([args, input = '']) =>
	(args.some(arg => arg.startsWith('--') && /help|version/.test(arg)) ? [[]] : [[], ['--json']]).map(
		json => [[...args, ...json].join(' '), [...args, ...json], input] as const,
	),
);

async function runInto(stdout: number | 'closed', args: readonly string[], input: string): Promise<Ended> {
	const model = args.includes('MODEL') ? await changedModel({tokenizer: template}) : '';
	const child = spawn(process.execPath, [cli, ...args.map(arg => (arg === 'MODEL' ? model : arg))], {
		stdio: ['pipe', stdout === 'closed' ? 'pipe' : stdout, 'pipe'],
	});
	if (stdout === 'closed') child.stdout!.destroy();
	child.stdin!.on('error', () => {});
	child.stdin!.end(input);
	let stderr = '';
	child.stderr!.setEncoding('utf8').on('data', piece => {
		stderr += piece;
	});
	return new Promise(resolve => child.on('close', code => resolve({code, stdout: '', stderr})));
}

describe.skipIf(!existsSync('/dev/full'))('a full disk (needs /dev/full)', () => {
	test.each(lines)('%s', async (_, args, input) => {
		const full = await open('/dev/full', 'w');
		try {
			const {code, stderr} = await runInto(full.fd, args, input);
			expect(stderr).toBe('standard output: ENOSPC: no space left on device, write\n');
			expect(code).toBe(1);
		} finally {
			await full.close();
		}
	});
});

describe('a reader that has left', () => {
	test.each(lines)('%s', async (_, args, input) => {
		expect(await runInto('closed', args, input)).toEqual({code: 0, stdout: '', stderr: ''});
	});
});

test('input that cannot be read', async () => {
	for (const args of [
		['generate', tiny],
		['chat', await changedModel({tokenizer: template})],
	]) {
		const writable = await open(join(await temporaryDirectory(), 'file'), 'w');
		try {
			const child = spawn(process.execPath, [cli, ...args], {stdio: [writable.fd, 'ignore', 'pipe']});
			let stderr = '';
			child.stderr!.setEncoding('utf8').on('data', piece => {
				stderr += piece;
			});
			const code = await new Promise(resolve => child.on('close', resolve));
			expect({code, stderr}).toEqual({code: 1, stderr: 'standard input: EBADF: bad file descriptor, read\n'});
		} finally {
			await writable.close();
		}
	}
});

describe('a conversation that is longer than the context', () => {
	const flags = ['--max-tokens', '40', '--temperature', '0'];
	const said = Array.from({length: 40}, (_, i) => `Tell me a long story about a dog number ${i} and a cat`);

	test('goes on without its oldest turns, and says so', async () => {
		const model = await changedModel({tokenizer: template});
		const args = ['chat', model, '--system', 'Be kind.', ...flags, '--json'];
		const {code, stdout, stderr} = await run(args, said.map(line => `${line}\n`).join(''));
		expect(code).toBe(0);
		const {messages} = JSON.parse(stdout);
		expect(messages).toHaveLength(81);
		expect(messages[0]).toEqual({role: 'system', content: 'Be kind.'});
		expect(
			messages.filter(({role}: {role: string}) => role === 'user').map((m: {content: string}) => m.content),
		).toEqual(said);
		for (const line of stderr.trimEnd().split('\n')) {
			expect(line).toMatch(/^the conversation is too long: its \d+ oldest messages are left out$/);
		}
	});

	test('gets the answers that what is left of it gets', async () => {
		const refuses = '{% if messages | length > 6 %}{{ raise_exception("too many") }}{% endif %}';
		const chat_template = `${refuses}${template.chat_template}`;
		const model = await changedModel({tokenizer: {chat_template}});
		const long = `${'word '.repeat(120)}\n`;
		const {messages} = await runJson(['chat', model, '--system', 'Be kind.', ...flags], long.repeat(5));
		expect(messages).toHaveLength(11);
		const alone = await runJson(['chat', model, '--system', 'Be kind.', ...flags], long);
		for (const i of [2, 4, 6, 8, 10]) expect(messages[i].content.length, `${i}`).toBeGreaterThan(0);
		expect(messages[2]).toEqual(alone.messages[2]);
	});

	test('is printed by --json also if it cannot go on', async () => {
		const model = await changedModel({tokenizer: template});
		const {code, stdout, stderr} = await run(['chat', model, ...flags, '--json'], `Hi\n${'word '.repeat(600)}\n`);
		expect(code).toBe(1);
		expect(stderr).toMatch(/^EXL_CONTEXT_LENGTH: the prompt has \d+ tokens, [^\n]*\n$/);
		const {messages} = JSON.parse(stdout);
		expect(messages.map(({role}: {role: string}) => role)).toEqual(['user', 'assistant', 'user']);
	});
});
