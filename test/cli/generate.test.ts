import {join} from 'node:path';
import {expect, test} from 'vitest';
import {modelsDirectory} from '../support/directory.js';
import {endlessModel, golden, Running, run, runJson, tiny} from './command.js';

const {loadModel} = require('../../dist/index.js') as typeof import('../../lib/index.js');

const models = ['stories260k-hf', 'tinystories-656k', 'tinystories-656k-exl2', 'tinystories-656k-gptq'];
const greedy = ['--temperature', '0'];

test.each(models)('the greedy tokens of %s', async model => {
	const {prompt, prompt_ids: promptIds, greedy_ids: ids, margins} = (await golden(model)).cases[0];
	const args = ['generate', join(modelsDirectory, model), '--prompt', prompt, ...greedy, '--max-tokens', '64'];
	const result = await runJson([...args, '--device', 'cpu']);
	expect(result).toMatchObject({promptTokens: promptIds.length, finishReason: 'length', completionTokens: 64});

	// From the first step where two tokens are nearly as probable, rounding may choose another one.
	const close = margins.findIndex((margin: number) => margin < 0.1);
	const sure = close < 0 ? ids.length : close;
	expect(sure).toBeGreaterThan(1);
	expect(result.tokenIds.slice(0, sure)).toEqual(ids.slice(0, sure));
});

test('--json is the result object of complete()', async () => {
	const flags = ['--max-tokens', '20', '--seed', '7', '--top-k', '20', '--top-p', '0.9', '--min-p', '0.01'];
	const sampling = ['--temperature', '0.9', '--repetition-penalty', '1.1', '--stop', 'xyz', '--stop', '.'];
	const json = await runJson(['generate', tiny, '--prompt', 'Tom and Sam', ...flags, ...sampling, '--threads', '1']);

	const model = await loadModel(tiny, {threads: 1});
	const options = {maxTokens: 20, seed: 7, topK: 20, topP: 0.9, minP: 0.01, temperature: 0.9};
	const result = await model.complete('Tom and Sam', {...options, repetitionPenalty: 1.1, stop: ['xyz', '.']});
	await model.dispose();
	expect({...json, timings: 0}).toEqual({...result, timings: 0});
	expect(Object.keys(json.timings).sort()).toEqual(Object.keys(result.timings).sort());
});

test('guesses and bans', async () => {
	const args = ['generate', tiny, '--prompt', 'Once upon a time', ...greedy, '--max-tokens', '40'];
	const plain = await runJson(args);
	const guessed = await runJson([...args, '--draft', tiny]);
	expect(guessed).toMatchObject({tokenIds: plain.tokenIds, speculation: {accepted: expect.any(Number)}});
	expect((await runJson([...args, '--speculative', 'ngram'])).tokenIds).toEqual(plain.tokenIds);
	const banned = await runJson([...args, '--ban', 'little', '--ban', 'GIRL']);
	expect(banned.text).not.toMatch(/little|girl/i);
});

test('streams the text to stdout and a summary to stderr', async () => {
	const args = ['generate', tiny, '--prompt', 'Once upon a time', ...greedy, '--max-tokens', '16'];
	const {text} = await runJson(args);
	const {code, stdout, stderr} = await run(args);
	expect({code, stdout}).toEqual({code: 0, stdout: text});
	expect(stderr).toMatch(/generated 16 tokens, [\d,.]+ tokens\/s; ended by length\nmemory: cpu /);
});

test('reads the prompt from stdin', async () => {
	const args = ['generate', tiny, ...greedy, '--max-tokens', '8'];
	const given = await runJson([...args, '--prompt', 'Once upon\na time']);
	for (const flags of [[], ['--prompt', '-']]) {
		const piped = await runJson([...args, ...flags], 'Once upon\na time\n');
		expect(piped).toMatchObject({promptTokens: given.promptTokens, tokenIds: given.tokenIds});
	}
	const bare = await runJson([...args, '--prompt', 'Once upon\na time', '--no-bos']);
	expect(bare.promptTokens).toBe(given.promptTokens - 1);
});

test.each([[[]], [['--json']]])('Ctrl-C ends it with 130 and no word %j', async flags => {
	const model = await endlessModel();
	const running = new Running(['generate', model, '--prompt', 'Once', '--cache-tokens', '65536', ...flags]);
	if (flags.length === 0) await running.output();
	else await new Promise(resolve => setTimeout(resolve, 1000));
	running.interrupt();
	expect(await running.ended).toMatchObject({code: 130, stderr: '', ...(flags.length > 0 && {stdout: ''})});
});

test('Ctrl-C while it waits for a prompt', async () => {
	const running = new Running(['generate', tiny]);
	await new Promise(resolve => setTimeout(resolve, 1000));
	running.interrupt();
	expect(await running.ended).toEqual({code: 130, stdout: '', stderr: ''});
});

test('ends quietly when nobody reads on', async () => {
	const model = await endlessModel();
	const running = new Running(['generate', model, '--prompt', 'Once', '--cache-tokens', '65536']);
	await running.output();
	running.process.stdout.destroy();
	expect(await running.ended).toMatchObject({code: 0, stderr: ''});
});
