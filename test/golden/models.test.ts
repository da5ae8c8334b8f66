import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {loadModel} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';

/**
The models of the repository against golden.json, which an independent implementation wrote in double precision over the
exact weights.
*/

type Golden = {
	readonly cases: readonly {
		readonly prompt: string;
		readonly prompt_ids: readonly number[];
		readonly greedy_ids: readonly number[];
		/** By how much each greedy logit leads the next one. */
		readonly margins: readonly number[];
		readonly text: string;
		/** After the prompt. */
		readonly last_logits: readonly number[];
	}[];
	readonly nll: {readonly tokens: readonly number[]; readonly mean_nll: number};
};

/** What a device may be off by. */
type Bars = {readonly margin: number; readonly logits: number; readonly nll: number};

type Outcome = {
	readonly cases: readonly {ids: readonly number[]; text: string; logits: readonly number[]}[];
	readonly meanNll: number;
};

const names = ['stories260k-hf', 'tinystories-656k', 'tinystories-656k-exl2', 'tinystories-656k-gptq'];
const isQuantised = (name: string) => /exl2|gptq/.test(name);
const reference: Bars = {margin: 0.001, logits: 1e-5, nll: 1e-5};
const cpu = (name: string): Bars => ({margin: 0.1, logits: isQuantised(name) ? 2e-2 : 2e-3, nll: 5e-3});

const goldens = new Map(
	names.map(name => [name, JSON.parse(readFileSync(join(modelsDirectory, name, 'golden.json'), 'utf8')) as Golden]),
);

async function run(name: string, device: 'reference' | 'cpu', threads = 2): Promise<Outcome> {
	const {cases, nll} = goldens.get(name)!;
	await using model = await loadModel(join(modelsDirectory, name), {device, threads});
	const outcomes = [];
	for (const {prompt, prompt_ids, greedy_ids} of cases) {
		expect(model.tokenizer.encode(prompt)).toEqual(prompt_ids);
		const options = {temperature: 0, repetitionPenalty: 1, maxTokens: greedy_ids.length};
		const {tokenIds, text} = await model.complete(prompt, options);
		expect(prompt + text).toBe(model.tokenizer.decode([...prompt_ids, ...tokenIds]));
		outcomes.push({ids: tokenIds, text, logits: [...(await model.logits(prompt))]});
	}
	const {meanNll, tokens} = await model.score(nll.tokens);
	expect(tokens).toBe(nll.tokens.length - 1);
	return {cases: outcomes, meanNll};
}

/** @returns How many of the greedy tokens were asked for. */
function check(name: string, outcome: Outcome, bars: Bars): number {
	const {cases, nll} = goldens.get(name)!;
	let compared = 0;
	for (const [i, {prompt, greedy_ids, margins, last_logits, text}] of cases.entries()) {
		const found = outcome.cases[i]!;
		const close = margins.findIndex(margin => margin < bars.margin);
		const count = close < 0 ? greedy_ids.length : close;
		expect(found.ids.slice(0, count), prompt).toEqual(greedy_ids.slice(0, count));
		expect(relativeError(found.logits, last_logits), `logits after "${prompt}"`).toBeLessThan(bars.logits);
		// The golden text stands by itself; after a prompt its first word has a space before it.
		if (String(found.ids) === String(greedy_ids)) expect([text, ` ${text}`]).toContain(found.text);
		compared += count;
	}
	expect(Math.abs(outcome.meanNll / nll.mean_nll - 1), 'mean negative log-likelihood').toBeLessThan(bars.nll);
	return compared;
}

/** `||a - b|| / ||b||` */
function relativeError(a: readonly number[], b: readonly number[]): number {
	const norm = (values: readonly number[]) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
	return a.length === b.length ? norm(b.map((value, i) => value - a[i]!)) / norm(b) : Number.NaN;
}

describe.each(names)('%s', name => {
	it('is on the reference what another implementation computed', async () => {
		expect(check(name, await run(name, 'reference'), reference)).toBeGreaterThan(100);
	});

	it('is on the processor the same, with any number of threads to the last bit', async () => {
		const one = await run(name, 'cpu', 1);
		expect(check(name, one, cpu(name))).toBeGreaterThan(10);
		for (const threads of [2, 3]) expect(await run(name, 'cpu', threads)).toEqual(one);
	});
});

/** A process of its own, because the instructions are chosen once. */
function inChild(target: string, code: string): string {
	const root = join(modelsDirectory, '..');
	const env = {...process.env, EXL_CPU_TARGET: target};
	return execFileSync(process.execPath, ['-e', code], {
		cwd: root,
		env,
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'pipe'],
	});
}

const listTargets = `
	try {
		require('./dist/native/index.js').addon().cpuTarget();
	} catch (error) {
		console.log(error.code, error.message);
	}
`;
const refusal = inChild('pentium', listTargets).trim();
const targets = refusal.split(': ').at(-1)!.split(' ').filter(Boolean);

const runModels = `
	const {loadModel} = require('./dist/index.js');
	const target = require('./dist/native/index.js').addon().cpuTarget();
	async function run([name, {cases, nll}]) {
		const model = await loadModel('models/' + name, {device: 'cpu', threads: 2});
		const outcomes = [];
		for (const {prompt, greedy_ids} of cases) {
			const options = {temperature: 0, repetitionPenalty: 1, maxTokens: greedy_ids.length};
			const {tokenIds, text} = await model.complete(prompt, options);
			outcomes.push({ids: tokenIds, text, logits: [...await model.logits(prompt)]});
		}
		const {meanNll} = await model.score(nll.tokens);
		await model.dispose();
		return [name, {cases: outcomes, meanNll}];
	}
	const goldens = ${JSON.stringify(names)}.map(name => [name, require('./models/' + name + '/golden.json')]);
	Promise.all(goldens.map(run)).then(models => console.log(JSON.stringify({target, models})));
`;

describe('the instructions the processor has', () => {
	it('are named when others are asked for', () => {
		expect(refusal).toMatch(/^EXL_INVALID_ARGUMENT EXL_CPU_TARGET is pentium, this processor and build run: \w/);
		expect(targets).toContain('scalar');
	});

	it.each(targets)('%s', wanted => {
		const {target, models} = JSON.parse(inChild(wanted, runModels));
		expect(target).toBe(wanted);
		expect(models.map(([name]: [string]) => name)).toEqual(names);
		for (const [name, outcome] of models) check(name, outcome, cpu(name));
	});
});
