import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {run, tiny} from './command.js';

test('--version', async () => {
	const {version} = JSON.parse(await readFile(join(__dirname, '../../package.json'), 'utf8'));
	expect(await run(['--version'])).toEqual({code: 0, stdout: `${version}\n`, stderr: ''});
});

test.each([[['--help']], [['generate', '--help']]])('%j', async args => {
	const {code, stdout, stderr} = await run(args);
	expect({code, stderr}).toEqual({code: 0, stderr: ''});
	expect(stdout).toMatch(/^Usage: node-exllama /);
});

test.each([
	['no command', [], /Usage: /],
	['an unknown command', ['fly'], /^error: unknown command 'fly'/],
	['an unknown flag', ['generate', tiny, '--nonsense'], /^error: unknown option '--nonsense'/],
	['no model', ['generate'], /^error: missing required argument 'model'/],
	['two models', ['inspect', tiny, tiny], /^error: too many arguments/],
	['text for a number', ['generate', tiny, '--temperature', 'hot'], /^error: option .* It must be a number\.$/m],
	['nothing for a number', ['generate', tiny, '--seed', ''], /^error: option .* It must be a number\.$/m],
	['a wrong value', ['generate', tiny, '--prompt', 'x', '--temperature=-1'], /^EXL_INVALID_ARGUMENT: temperature must/],
	['a wrong device', ['generate', tiny, '--prompt', 'x', '--device', 'gpu'], /^EXL_INVALID_ARGUMENT: device must/],
	['a wrong cache type', ['bench', tiny, '--cache-type', 'q3'], /^EXL_INVALID_ARGUMENT: cache.type must/],
	[
		'a wrong way to guess',
		['generate', tiny, '--prompt', 'x', '--speculative', 'dice'],
		/^EXL_INVALID_ARGUMENT: speculative must/,
	],
	['no threads', ['bench', tiny, '--threads', '0'], /^EXL_INVALID_ARGUMENT: threads must/],
	...['inspect', 'doctor', 'list', 'rm', 'pull'].flatMap((command): [string, string[], RegExp][] => [
		[
			`a wrong device of ${command}`,
			[command, '--device', 'CPU', ...(/^(?:doc|li)/.test(command) ? [] : ['x/y'])],
			/did you mean "cpu"/,
		],
		[
			`too many threads of ${command}`,
			[command, '--threads', '1e3', ...(/^(?:doc|li)/.test(command) ? [] : ['x/y'])],
			/threads must be/,
		],
	]),
	[
		'a wrong value before the model',
		['generate', '/none', '--prompt', 'x', '--top-p', '2'],
		/^EXL_INVALID_ARGUMENT: topP/,
	],
	['no end', ['generate', tiny, '--prompt', 'x', '--max-tokens', 'Infinity'], /^EXL_INVALID_ARGUMENT: maxTokens must/],
	['half a token', ['generate', tiny, '--prompt', 'x', '--max-tokens', '1.5'], /^EXL_INVALID_ARGUMENT: maxTokens must/],
	['an almost known command', ['generat', tiny], /^error: unknown command 'generat'\n\(Did you mean generate\?\)/],
	['an almost known flag', ['generate', tiny, '--max_tokens', '5'], /\(Did you mean --max-tokens\?\)/],
	['a flag of another spelling', ['generate', tiny, '--maxTokens', '5'], /\(Did you mean --max-tokens\?\)/],
	['a flag with a typo', ['bench', tiny, '--promt-tokens', '5'], /\(Did you mean --prompt-tokens\?\)/],
	['nothing to score', ['perplexity', tiny], /^EXL_INVALID_ARGUMENT: perplexity takes either --file or --tokens/],
	['no such file', ['perplexity', tiny, '--file', '/none'], /^EXL_INVALID_ARGUMENT: --file cannot be read/],
	['a file that is no list', ['perplexity', tiny, '--tokens', __filename], /^EXL_INVALID_ARGUMENT: --tokens: /],
	['a window of one', ['perplexity', tiny, '--length', '1'], /^error: option '--length/],
])('%s is wrong usage', async (_, args, message) => {
	const {code, stdout, stderr} = await run(args);
	expect({code, stdout}).toEqual({code: 2, stdout: ''});
	expect(stderr).toMatch(message);
	expect(stderr).not.toMatch(/^\s+at /m);
});

test.each([
	['no such model', ['generate', 'nowhere', '--prompt', 'x'], /^EXL_MODEL_NOT_FOUND: No model "nowhere"\. Looked for /],
	['no such model, JSON', ['inspect', 'nowhere', '--json'], /^EXL_MODEL_NOT_FOUND: /],
	['no such device', ['bench', tiny, '--device', 'cuda:99'], /^EXL_DEVICE_UNAVAILABLE: cuda:99 /],
	['a prompt that is too long', ['generate', tiny, '--prompt', 'x '.repeat(2000)], /^EXL_CONTEXT_LENGTH: /],
	['no template', ['chat', tiny], /^EXL_MODEL_UNSUPPORTED: .* has no chat template: /],
])('%s is a failure in one line', async (_, args, message) => {
	const {code, stdout, stderr} = await run(args);
	expect({code, stdout}).toEqual({code: 1, stdout: ''});
	expect(stderr).toMatch(message);
	expect(stderr.trimEnd().split('\n')).toHaveLength(1);
});
