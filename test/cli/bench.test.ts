import {afterEach, expect, test, vi} from 'vitest';
import {bench} from '../../lib/cli/bench.js';
import type {Terminal} from '../../lib/cli/terminal.js';

/** What the benchmark asks of a model, answered without one. */
const asked: {prompt: readonly number[]; maxTokens: number; minTokens?: number}[] = [];
let cachedTokens = 0;

vi.mock('../../lib/cli/load.js', () => ({
	withModel: (_name: string, _flags: object, _terminal: object, use: (model: object) => Promise<unknown>) =>
		use({
			device: 'cpu',
			contextTokens: 4096,
			cacheTokens: 4096,
			tokenizer: {vocabSize: 300},
			async complete(prompt: number[], options: {maxTokens: number; minTokens?: number}) {
				asked.push({prompt, ...options});
				return {cachedTokens, timings: {promptTokensPerSecond: asked.length, tokensPerSecond: 1}};
			},
		}),
}));
vi.mock('../../lib/index.js', async original => ({
	...(await original<typeof import('../../lib/index.js')>()),
	memory: {snapshot: () => ({devices: {cpu: {allocated: 0, peak: 0, byKind: {}}}})},
}));

afterEach(() => {
	asked.length = cachedTokens = 0;
});

async function run(repeat: number): Promise<{prefillTokensPerSecond: number}> {
	let result: unknown;
	const terminal = {
		signal: new AbortController().signal,
		writeJson: async (value: unknown) => {
			result = value;
		},
	} as unknown as Terminal;
	await bench('model', {repeat, json: true, promptTokens: 20, genTokens: 7} as Parameters<typeof bench>[1], terminal);
	return result as {prefillTokensPerSecond: number};
}

test('every prompt begins with another token, so that none finds anything of another in the cache', async () => {
	const {prefillTokensPerSecond} = await run(200);
	expect(asked.map(({prompt}) => prompt.length)).toEqual(Array(201).fill(20));
	expect(new Set(asked.map(({prompt}) => prompt[0])).size).toBe(201);
	// The first is a warm-up.
	expect(prefillTokensPerSecond).toBe(101.5);
});

test('every run is as long as was asked for', async () => {
	await run(2);
	expect(asked.map(({maxTokens, minTokens}) => [maxTokens, minTokens])).toEqual([
		[1, 1],
		[7, 7],
		[7, 7],
	]);
});

test('a prompt that was in the cache is no measurement', async () => {
	cachedTokens = 19;
	await expect(run(2)).rejects.toMatchObject({
		code: 'EXL_INTERNAL',
		message: expect.stringContaining('19 of 20 prompt tokens were in the cache'),
	});
});
