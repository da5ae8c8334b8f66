import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {temporaryDirectory} from '../support/directory.js';
import {golden, run, runJson, tiny} from './command.js';

test.each([
	['cpu', 0.005],
	['reference', 1e-5],
])('perplexity of given tokens on %s', async (device, tolerance) => {
	const {nll} = await golden('tinystories-656k-exl2');
	const file = join(await temporaryDirectory(), 'ids.json');
	await writeFile(file, JSON.stringify(nll.tokens));
	const result = await runJson(['perplexity', tiny, '--tokens', file, '--device', device]);
	expect(Object.keys(result)).toEqual(['tokens', 'meanNll', 'perplexity']);
	expect(result.tokens).toBe(nll.tokens.length - 1);
	expect(Math.abs(result.meanNll / nll.mean_nll - 1)).toBeLessThan(tolerance);
	expect(result.perplexity).toBeCloseTo(Math.exp(result.meanNll), 10);
});

test('perplexity of a text, in windows', async () => {
	const {loadModel} = require('../../dist/index.js') as typeof import('../../lib/index.js');
	const file = join(__dirname, '../data/tinystories.txt');
	const model = await loadModel(tiny);
	const ids = model.tokenizer.encode(await readFile(file, 'utf8'));
	let sum = 0;
	let count = 0;
	for (let at = 0; at + 1 < ids.length; at += 100) {
		const {meanNll, tokens} = await model.score(ids.slice(at, at + 100));
		sum += meanNll * tokens;
		count += tokens;
	}
	await model.dispose();

	const result = await runJson(['perplexity', tiny, '--file', file, '--length', '100']);
	expect(result.tokens).toBe(count);
	expect(result.meanNll).toBeCloseTo(sum / count, 6);

	// Windows as long as the context, of which the first tokens of fewer windows are not predicted.
	expect((await runJson(['perplexity', tiny, '--file', file])).tokens).toBe(ids.length - Math.ceil(ids.length / 512));
	expect((await run(['perplexity', tiny, '--file', file])).stdout).toMatch(
		/^tokens +\d+\nmean NLL +[\d.]+\nperplexity/,
	);
});

test('bench', async () => {
	const args = ['bench', tiny, '--prompt-tokens', '16', '--gen-tokens', '8', '--repeat', '2'];
	const result = await runJson(args);
	expect(result).toMatchObject({device: 'cpu', promptTokens: 16, genTokens: 8, repeat: 2});
	for (const name of ['loadMs', 'prefillTokensPerSecond', 'decodeTokensPerSecond', 'peakRss']) {
		expect(result[name]).toBeGreaterThan(0);
	}
	expect(result.memory.peak).toBeGreaterThanOrEqual(result.memory.allocated);
	expect((await run(args)).stdout).toMatch(/^decode +[\d,.]+ tokens\/s \(8 tokens\)$/m);
});
