import {execFileSync} from 'node:child_process';
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {cpuTargets as targets} from '../support/cpu-targets.js';
import {Digest} from '../support/digest.js';
import {modelsDirectory} from '../support/directory.js';
import {type Bars, check, names, run} from './golden.js';

const isQuantised = (name: string) => /exl2|gptq/.test(name);
const reference: Bars = {margin: 0.001, logits: 1e-5, nll: 1e-5};
const cpu = (name: string): Bars => ({margin: 0.1, logits: isQuantised(name) ? 2e-2 : 2e-3, nll: 5e-3});

const digest = new Digest('golden');

describe.each(names)('%s', name => {
	it('is on the reference what another implementation computed', async () => {
		const outcome = await run(name, 'reference');
		expect(check(name, outcome, reference)).toBeGreaterThan(100);
		digest.add('reference', name, outcome);
	});

	it('is on the processor the same, with any number of threads to the last bit', async () => {
		const one = await run(name, 'cpu', {threads: 1});
		expect(check(name, one, cpu(name))).toBeGreaterThan(10);
		for (const threads of [2, 3]) expect(await run(name, 'cpu', {threads})).toEqual(one);
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
		for (const [name, outcome] of models) {
			check(name, outcome, cpu(name));
			digest.add(`cpu/${target}`, name, outcome);
		}
	});

	it('gives the bits it gave', context => digest.check(context, 'golden models', names.length));
});
