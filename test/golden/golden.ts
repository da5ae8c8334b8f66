import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'vitest';
import {loadModel} from '../../lib/model/index.js';
import type {DeviceName} from '../../lib/options/index.js';
import {modelsDirectory} from '../support/directory.js';
import {relativeError} from '../support/error.js';

/**
The models of the repository against golden.json, which an independent implementation wrote in double precision over the
exact weights.
*/

export type Golden = {
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
export type Bars = {readonly margin: number; readonly logits: number; readonly nll: number};

export type Outcome = {
	readonly cases: readonly {ids: readonly number[]; text: string; logits: readonly number[]}[];
	readonly meanNll: number;
};

export const names = ['stories260k-hf', 'tinystories-656k', 'tinystories-656k-exl2', 'tinystories-656k-gptq'];

export const goldens: ReadonlyMap<string, Golden> = new Map(
	names.map(name => [name, JSON.parse(readFileSync(join(modelsDirectory, name, 'golden.json'), 'utf8')) as Golden]),
);

/** @param cases How many of them. @default all */
export async function run(name: string, device: DeviceName, {threads = 2, cases: count = 99} = {}): Promise<Outcome> {
	const {cases, nll} = goldens.get(name)!;
	await using model = await loadModel(join(modelsDirectory, name), {device, threads});
	const outcomes = [];
	for (const {prompt, prompt_ids, greedy_ids} of cases.slice(0, count)) {
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
export function check(name: string, outcome: Outcome, bars: Bars): number {
	const {cases, nll} = goldens.get(name)!;
	let compared = 0;
	for (const [i, found] of outcome.cases.entries()) {
		const {prompt, greedy_ids, margins, last_logits, text} = cases[i]!;
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
