import {execFile} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {expect, it} from 'vitest';
import {packageRoot} from '../../lib/native/index.js';

const directory = join(packageRoot, 'examples');

/** What a reader of the example is promised to see. */
const shows: Record<string, {readonly input?: string; readonly output: RegExp}> = {
	'bulk.mjs': {output: /^64 stories, \d+ tokens, \d+ tokens\/s\n\nOnce upon a time, Tom/},
	'chat.mjs': {
		input: 'Once upon a time there was a dog.\nThe dog liked\n\n',
		output: /\(0 of \d+ prompt tokens .*\n[\s\S]*\((?:[1-9]|\d\d+) of \d+ prompt tokens were in the cache\)/,
	},
	'choice.mjs': {output: /^(?:.* (?:happy|sad)\n){4}$/},
	'complete.mjs': {output: /^, a little girl[\s\S]*64 tokens, \d+ tokens\/s/},
	'demo.mjs': {output: /^A story by LlamaForCausalLM[\s\S]*After model\.dispose\(\):[\s\S]*\b0\b/},
	'memory.mjs': {output: /^Loaded:[\s\S]*With a forgotten tensor:/},
	'side-by-side.mjs': {output: /^ 0 .*\n(?: \d .*\n){9}$/},
	'speculative.mjs': {output: /draft model: .* guesses right\n[\s\S]*The text is the same each time\.\n$/},
};

it('is each example that there is', () => {
	expect(readdirSync(directory).sort()).toEqual(Object.keys(shows));
});

it.each(Object.entries(shows))('%s runs and shows what it promises', async (file, {input, output}) => {
	const {stdout, stderr} = await new Promise<{stdout: string; stderr: string}>((resolve, reject) => {
		const child = execFile(process.execPath, [join(directory, file)], {cwd: packageRoot}, (error, out, err) => {
			if (error) reject(error);
			else resolve({stdout: out, stderr: err});
		});
		child.stdin?.end(input ?? '');
	});
	expect(stderr).toBe('');
	expect(stdout).toMatch(output);
});
