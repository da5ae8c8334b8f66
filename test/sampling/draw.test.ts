import {describe, expect, it} from 'vitest';
import type {SamplerSettings} from '../../lib/native/index.js';
import {seededRandom} from '../support/random.js';
import {expectDrawnAs, NativeSampler, randomLogits} from './native.js';
import {descending, reference, type Settings} from './reference.js';

const draws = 100_000;
const logits = randomLogits(seededRandom(3), 24, 1.5);

const probabilitiesOf = (settings: Partial<Settings>) =>
	new Map(reference(logits, {temperature: 1, ...settings}).map(({id, p}) => [id, p]));

function draw(settings: Partial<SamplerSettings>, count = draws, from: ArrayLike<number> = logits): Int32Array {
	using sampler = new NativeSampler(settings);
	return sampler.draw(from, count);
}

describe('100,000 draws are as probable as they should be', () => {
	it.each([1, 2, 2 ** 40])('plain, seed %i', seed => expectDrawnAs(draw({seed}), probabilitiesOf({})));

	it('with temperature and truncations', () => {
		const settings = {temperature: 0.7, topK: 12, topP: 0.95, minP: 0.02};
		expectDrawnAs(draw(settings), probabilitiesOf(settings));
	});

	it('of more tokens than one block', () => {
		const many = randomLogits(seededRandom(4), 1000, 0.5);
		const wanted = new Map(reference(many, {temperature: 1}).map(({id, p}) => [id, p]));
		expectDrawnAs(draw({}, draws, many), wanted);
	});

	it.each([0.3, 0.5, 1])('XTC with probability %d', probability => {
		const plain = probabilitiesOf({});
		const removed = probabilitiesOf({xtc: {threshold: 0.05, ignored: []}});
		expect(removed.size).toBeLessThan(plain.size - 2);
		const mix = (id: number, p: number) => probability * (removed.get(id) ?? 0) + (1 - probability) * p;
		const wanted = new Map([...plain].map(([id, p]) => [id, mix(id, p)]));
		expectDrawnAs(draw({xtcProbability: probability, xtcThreshold: 0.05}), wanted);
	});

	it.each([-1, 0.5, 2])('skew %d', skew => {
		const wanted = new Map<number, number>();
		let before = 0;
		let mass = 0;
		for (const {id, p} of descending(reference(logits, {temperature: 1}))) {
			mass = Math.min(1, mass + p);
			const until = mass ** Math.exp(skew);
			wanted.set(id, until - before);
			before = until;
		}
		expectDrawnAs(draw({skew}), wanted);
	});

	it('mirostat that does not learn', () => {
		expectDrawnAs(draw({mirostatTau: 1.6, mirostatEta: 0}), probabilitiesOf({mirostatMu: 3.2}));
	});
});

it('mirostat follows its state', () => {
	const [tau, eta] = [2, 0.3];
	using sampler = new NativeSampler({mirostatTau: tau, mirostatEta: eta});
	let mu = 2 * tau;
	let surprise = 0;
	for (let n = 0; n < 2000; n++) {
		const wanted = probabilitiesOf({mirostatMu: mu});
		const actual = sampler.distribution(logits);
		expect([...actual.keys()].sort()).toEqual([...wanted.keys()].sort());
		const [id] = sampler.draw(logits, 1);
		mu += eta * (tau + Math.log2(wanted.get(id!)!));
		surprise -= Math.log2(wanted.get(id!)!);
	}
	expect(surprise / 2000).toBeCloseTo(tau, 1);
});

describe('random numbers', () => {
	const settings = {topP: 0.95, xtcProbability: 0.5, mirostatTau: 3, seed: 11};

	it('are the same for the same seed and others for others', () => {
		expect(draw(settings, 200)).toEqual(draw(settings, 200));
		expect(draw({...settings, seed: 12}, 200)).not.toEqual(draw(settings, 200));
	});

	it('depend on the number of the draw and on nothing before it', () => {
		const flat = new Float32Array(24);
		using sampler = new NativeSampler();
		const first = sampler.draw(logits, 100);
		const second = sampler.draw(flat, 100);
		expect([...first, ...second]).toEqual([...draw({}, 200).slice(0, 100), ...draw({}, 200, flat).slice(100)]);
	});

	it('are not used up by looking', () => {
		using sampler = new NativeSampler(settings);
		const seen = Array.from({length: 50}, () => {
			sampler.distribution(logits);
			return sampler.draw(logits, 1)[0];
		});
		expect(seen).toEqual([...draw(settings, 50)]);
	});

	it('of neighbouring seeds and of XTC are independent', () => {
		const drawn = Array.from({length: 20_000}, (_, seed) => draw({seed}, 1)[0]!);
		expectDrawnAs(Int32Array.from(drawn), probabilitiesOf({}));

		// Were the coin the number that draws, those it falls for would all come from one end.
		const two = Float32Array.of(0, 0, 0, 0);
		const removed = draw({xtcProbability: 0.5, xtcThreshold: 0, xtcIgnored: Int32Array.of(0, 1)}, draws, two);
		const wanted = [0.25 / 2 + 1 / 6, 0.25 / 2 + 1 / 6, 0.25 / 2, 0.25 / 2 + 1 / 6];
		expectDrawnAs(removed, new Map(wanted.map((p, id) => [id, p])));
	});
});

it('of one token there is no choice', () => {
	for (const settings of [{}, {temperature: 0}, {topP: 0.1}, {mirostatTau: 1}, {xtcProbability: 1}, {skew: 1}]) {
		expect([...draw(settings, 3, [-5])]).toEqual([0, 0, 0]);
		const banned = Int32Array.from({length: 23}, (_, id) => id);
		expect([...draw({...settings, bannedIds: banned}, 3)]).toEqual([23, 23, 23]);
	}
});
