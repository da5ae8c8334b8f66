import {describe, expect, it} from 'vitest';
import type {SamplerSettings} from '../../lib/native/index.js';
import {NativeSampler} from './native.js';

/** Ten tokens of equal logits, those above 4 negative: what settings did to each, to nine digits of a float. */
function changes(settings: Partial<SamplerSettings>, history: readonly number[], logits = tokens): number[] {
	using sampler = new NativeSampler(settings, history);
	const probabilities = sampler.distribution(logits);
	const unchanged = logits.length - 1;
	return logits.map((_, id) => logits[unchanged]! + Math.log(probabilities.get(id)! / probabilities.get(unchanged)!));
}

const tokens = [2, 2, 2, 2, 2, -2, -2, -2, -2, 0];

function expectLogits(actual: readonly number[], expected: readonly number[]): void {
	expect(actual.map(n => Number(n.toFixed(4)))).toEqual(expected.map(n => Number(n.toFixed(4))));
}

describe('repetition, presence and frequency', () => {
	it('divides positive logits, multiplies negative ones, once', () => {
		expectLogits(changes({repetitionPenalty: 2}, [0, 0, 5, 0, 5]), [1, 2, 2, 2, 2, -4, -2, -2, -2, 0]);
	});

	it('subtracts once, and once per occurrence', () => {
		const settings = {presencePenalty: 0.5, frequencyPenalty: 0.1};
		expectLogits(changes(settings, [0, 0, 5, 0]), [1.2, 2, 2, 2, 2, -2.6, -2, -2, -2, 0]);
		expectLogits(changes({frequencyPenalty: -0.1}, [1, 1]), [2, 2.2, 2, 2, 2, -2, -2, -2, -2, 0]);
	});

	it('sees the last tokens only', () => {
		const presence = (repetitionRange: number, history = [0, 1, 2, 3]) =>
			changes({presencePenalty: 1, repetitionRange}, history).slice(0, 4);
		expectLogits(presence(-1), [1, 1, 1, 1]);
		expectLogits(presence(0), [2, 2, 2, 2]);
		expectLogits(presence(1), [2, 2, 2, 1]);
		expectLogits(presence(3), [2, 1, 1, 1]);
		expectLogits(presence(4), [1, 1, 1, 1]);
		expectLogits(presence(2 ** 53 - 1), [1, 1, 1, 1]);
		expectLogits(presence(3, []), [2, 2, 2, 2]);
	});

	it('fades over the decay, which begins one token after the range', () => {
		const settings = {presencePenalty: 1, repetitionRange: 1, repetitionDecay: 2};
		expectLogits(changes(settings, [0, 1, 2, 3, 4]).slice(0, 5), [2, 2, 1.5, 1, 1]);
		const four = {repetitionPenalty: 3, repetitionRange: 0, repetitionDecay: 4};
		expectLogits(changes(four, [4, 3, 2, 1, 0]).slice(0, 5), [2 / 3, 2 / 2.5, 2 / 2, 2 / 1.5, 2]);
		const occurrences = {frequencyPenalty: 1, repetitionRange: 1, repetitionDecay: 2};
		expectLogits(changes(occurrences, [0, 0, 0, 0, 0]).slice(0, 1), [2 - 2.5]);
		const huge = {presencePenalty: 1, repetitionRange: 2, repetitionDecay: 2 ** 53 - 1};
		expectLogits(changes(huge, [0, 1, 2, 3]).slice(0, 4), [1, 1, 1, 1]);
	});

	it('sees what was drawn, and ids outside of the vocabulary do no harm', () => {
		using sampler = new NativeSampler({temperature: 0, presencePenalty: 1.5}, [-1, 10, 2 ** 31 - 1]);
		expect([...sampler.draw([3, 2, 0], 4)]).toEqual([0, 1, 0, 0]);
	});
});

describe('DRY', () => {
	const dry = {dryMultiplier: 1, dryBase: 2, dryAllowedLength: 2};
	const lost = (history: readonly number[], settings: Partial<SamplerSettings> = dry) => {
		const logits = Array.from({length: 10}, () => 0);
		return Object.fromEntries(
			changes(settings, history, logits)
				.map((change, id) => [id, -Number(change.toFixed(3))] as const)
				.filter(([, change]) => change !== 0),
		);
	};

	it('penalises what would go on with a repetition, by its length', () => {
		expect(lost([1, 2, 3, 1])).toEqual({});
		expect(lost([1, 2, 3, 1, 2])).toEqual({3: 1});
		expect(lost([4, 1, 2, 3, 4, 1, 2])).toEqual({3: 2});
		expect(lost([5, 4, 1, 2, 3, 5, 4, 1, 2])).toEqual({3: 4});
		expect(lost([1, 2, 3, 1], {...dry, dryAllowedLength: 1})).toEqual({2: 1});
		expect(lost([])).toEqual({});
		expect(lost([1])).toEqual({});
	});

	it('takes the longest repetition of each token, however often it occurred', () => {
		expect(lost([4, 1, 2, 3, 5, 1, 2, 3, 4, 1, 2])).toEqual({3: 2});
		expect(lost([4, 1, 2, 3, 5, 1, 2, 6, 4, 1, 2])).toEqual({3: 2, 6: 1});
		expect(lost([7, 7, 7, 7])).toEqual({7: 2});
	});

	it('does not go across breakers', () => {
		const breaker = (id: number) => ({...dry, dryBreakers: Int32Array.of(id)});
		const history = [4, 1, 2, 3, 4, 1, 2];
		expect(lost(history, breaker(4))).toEqual({3: 1});
		expect(lost(history, breaker(1))).toEqual({});
		expect(lost(history, breaker(2))).toEqual({});
		expect(lost(history, breaker(3))).toEqual({});
		expect(lost(history, breaker(9))).toEqual({3: 2});
	});

	it('looks back as far as the range', () => {
		const history = [1, 2, 3, 9, 9, 1, 2];
		expect(lost(history, {...dry, dryRange: 7})).toEqual({3: 1});
		expect(lost(history, {...dry, dryRange: 6})).toEqual({});
	});

	it('counts no match longer than 50, and survives any base', () => {
		const phrase = Array.from({length: 60}, (_, i) => (i * i) % 7);
		const settings = {...dry, dryBase: 1.01};
		const {8: change} = lost([...phrase, 8, ...phrase], settings);
		expect(change).toBeCloseTo(1.01 ** 48, 2);
		using sampler = new NativeSampler({...dry, dryBase: 1e300, temperature: 0}, [...phrase, 8, ...phrase]);
		expect([...sampler.draw([0, 0, 0, 0, 0, 0, 0, 0, 1], 1)]).toEqual([0]);
	});
});
