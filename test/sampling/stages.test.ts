import {describe, expect, it, test} from 'vitest';
import {type Random, seededRandom} from '../support/random.js';
import {NativeSampler, nativeSettings, randomLogits} from './native.js';
import {reference, type Settings} from './reference.js';

/** Rounding of floats, and of a logit that a low temperature multiplies. */
const tolerance = 2e-4;

function expectSame(logits: ArrayLike<number>, settings: Settings, history: readonly number[] = []): void {
	using sampler = new NativeSampler(nativeSettings(settings), history);
	const actual = sampler.distribution(logits);
	const expected = new Map(reference(logits, settings, history).map(({id, p}) => [id, p]));
	const what = JSON.stringify(settings);
	// Floats end at e ** -87, which a temperature of 3 after the truncations makes e ** -29.
	const kept = (tokens: ReadonlyMap<number, number>) =>
		[...tokens]
			.filter(([, p]) => p > 1e-12)
			.map(([id]) => id)
			.sort((a, b) => a - b);
	expect(kept(actual), what).toEqual(kept(expected));
	for (const [id, p] of expected) {
		const off = Math.abs((actual.get(id) ?? 0) - p);
		if (off > tolerance * p + 1e-9) expect(actual.get(id), `token ${id} ${what}`).toBe(p);
	}
}

function randomSettings(random: Random, vocabulary: number): Settings {
	const maybe = <T>(value: T): T | undefined => (random.next() < 0.3 ? value : undefined);
	const between = (low: number, high: number) => low + (high - low) * random.next();
	const ids = (count: number) => Array.from({length: count}, () => random.int(vocabulary));
	const min = between(0.3, 1);
	const all: Record<string, unknown> = {
		temperatureLast: maybe(true),
		smoothingFactor: maybe(between(0.05, 1)),
		dynamic: maybe({min, max: min + between(0, 2), exponent: between(0.5, 2)}),
		topK: maybe(1 + random.int(vocabulary + 5)),
		topP: maybe(between(0.05, 0.99)),
		topA: maybe(between(0.01, 1)),
		minP: maybe(between(0.001, 0.5)),
		tfs: vocabulary <= 1000 ? maybe(between(0.1, 0.99)) : undefined,
		typicalP: maybe(between(0.1, 0.95)),
		mirostatMu: maybe(between(1, 10)),
		xtc: maybe({threshold: between(0.01, 0.3), ignored: ids(3)}),
		exllamav2: vocabulary <= 1000 ? maybe(true) : undefined,
		penalties: maybe({
			repetition: between(0.8, 1.5),
			presence: between(-0.5, 1),
			frequency: between(-0.2, 0.5),
			range: random.int(40) - 1,
			decay: random.int(20),
		}),
		dry: maybe({
			multiplier: between(0.1, 2),
			base: between(1, 2),
			allowedLength: 1 + random.int(3),
			range: random.pick([0, 10]),
			breakers: ids(2),
		}),
		bias: maybe(Object.fromEntries(ids(3).map(id => [id, between(-5, 5)]))),
		allowed: maybe([...new Set(ids(10)), 0]),
		banned: maybe(ids(5).filter(id => id > 0)),
	};
	const given = Object.entries(all).filter(([, value]) => value !== undefined);
	return {temperature: between(0.2, 2), ...Object.fromEntries(given)};
}

describe('random settings', () => {
	it.each([1, 2, 3, 17, 100, 1000])('%i logits', vocabulary => {
		const random = seededRandom(vocabulary);
		for (let round = 0; round < 150; round++) {
			const logits = randomLogits(random, vocabulary, random.pick([0.1, 1, 3, 8]));
			const history = Array.from({length: random.int(60)}, () => random.int(Math.min(vocabulary, 6)));
			expectSame(logits, randomSettings(random, vocabulary), history);
		}
	});

	it('40,000 logits, too many to sort', () => {
		const random = seededRandom(40_000);
		for (let round = 0; round < 40; round++) {
			const logits = randomLogits(random, 40_000, random.pick([0.1, 1, 3]));
			expectSame(logits, randomSettings(random, 40_000), [1, 2, 3, 1, 2]);
		}
	});
});

describe('one setting at a time', () => {
	const random = seededRandom(7);
	const logits = randomLogits(random, 300, 2);
	test.each([
		...[0.1, 0.8, 1, 3].map(temperature => ({temperature})),
		...[0.3, 1.7].map(temperature => ({temperature, temperatureLast: true, topP: 0.8})),
		...[0.05, 0.3, 2].map(smoothingFactor => ({smoothingFactor})),
		...[0.5, 1, 2].map(exponent => ({dynamic: {min: 0.4, max: 1.8, exponent}})),
		...[0, 1].map(min => ({dynamic: {min, max: 1, exponent: 1}})),
		...[1, 2, 50, 299, 300, 301].map(topK => ({topK})),
		...[0, 0.01, 0.5, 0.9, 0.999999, 1].flatMap(topP => [{topP}, {topP, exllamav2: true}]),
		...[0.001, 0.1, 1].map(topA => ({topA})),
		...[0.001, 0.1, 1].map(minP => ({minP})),
		...[0.05, 0.5, 0.95].map(tfs => ({tfs})),
		...[0.05, 0.5, 0.95].flatMap(typicalP => [{typicalP}, {typicalP, exllamav2: true}]),
		...[0.5, 3, 6, 20].map(mirostatMu => ({mirostatMu})),
		...[0, 0.01, 0.1, 0.9].map(threshold => ({xtc: {threshold, ignored: []}})),
	])('%j', settings => expectSame(logits, {temperature: 1, ...settings}));
});

describe('by hand', () => {
	const logs = (...ps: number[]) => ps.map(Math.log);
	const keptOf = (settings: Settings, logits: ArrayLike<number>) => {
		using sampler = new NativeSampler(nativeSettings(settings));
		return [...sampler.distribution(logits).keys()].sort((a, b) => a - b);
	};

	it('the nucleus has the token that reaches it; that of ExLlamaV2 depends on the order and has not', () => {
		const up = logs(0.05, 0.15, 0.3, 0.5);
		const down = logs(0.5, 0.3, 0.15, 0.05);
		const nucleus = {temperature: 1, topP: 0.9};
		expect(keptOf(nucleus, down)).toEqual([0, 1, 2]);
		expect(keptOf(nucleus, up)).toEqual([1, 2, 3]);
		expect(keptOf({...nucleus, exllamav2: true}, down)).toEqual([0, 1, 3]);
		expect(keptOf({...nucleus, exllamav2: true}, up)).toEqual([2, 3]);
		expect(keptOf({...nucleus, exllamav2: true, topK: 4}, up)).toEqual([0, 2, 3]);
		// Below one in a million nothing gets in.
		expect(keptOf({...nucleus, exllamav2: true}, logs(0.6, 0.4, 2e-6, 5e-7))).toEqual([0, 2]);
	});

	it('the typical set of ExLlamaV2 has nothing below one in a hundred million', () => {
		const settings = {temperature: 1, typicalP: 1 - 1e-10};
		const logits = logs(0.6, 0.4, 5e-9, 4e-9);
		expect(keptOf({...settings, exllamav2: true}, logits)).toEqual([0, 1]);
		expect(keptOf(settings, logits)).toEqual([0, 1, 2, 3]);
	});

	it('of equal tokens the lower ids stay', () => {
		for (const count of [8, 100, 20_000]) {
			const same = new Float32Array(count);
			const half = Array.from({length: count / 2}, (_, id) => id);
			expect(keptOf({temperature: 1, topK: count / 2}, same)).toEqual(half);
			expect(keptOf({temperature: 1, topP: 0.5}, same)).toEqual(half);
			expect(keptOf({temperature: 1, typicalP: 0.5}, same)).toEqual(half);
			expect(keptOf({temperature: 1, mirostatMu: 1}, same)).toEqual([0]);
			expect(keptOf({temperature: 1, tfs: 0.5}, same)).toHaveLength(count);
			expect(keptOf({temperature: 1, xtc: {threshold: 0, ignored: []}}, same)).toEqual([count - 1]);
			expect(keptOf({temperature: 0}, same)).toEqual([0]);
		}
	});

	it('0 and -0 are equal', () => {
		expect(keptOf({temperature: 1, topK: 1}, [-0, 0])).toEqual([0]);
	});

	it('a low temperature after the most probable token is gone', () => {
		const flat = logs(0.3, ...Array.from({length: 200}, () => 0.0035));
		const kept = keptOf({temperature: 1, typicalP: 0.5}, flat);
		expect(kept).not.toContain(0);
		const logits = flat.map((logit, id) => (id === kept[5] ? logit + 0.1 : logit));
		expectSame(logits, {temperature: 0.01, temperatureLast: true, typicalP: 0.5});
	});

	it('XTC leaves the least probable of the top, the rest, and what it ignores', () => {
		const logits = logs(0.4, 0.3, 0.2, 0.06, 0.04);
		expect(keptOf({temperature: 1, xtc: {threshold: 0.1, ignored: []}}, logits)).toEqual([2, 3, 4]);
		expect(keptOf({temperature: 1, xtc: {threshold: 0.1, ignored: [0]}}, logits)).toEqual([0, 2, 3, 4]);
		expect(keptOf({temperature: 1, xtc: {threshold: 0.1, ignored: [1, 2]}}, logits)).toEqual([0, 1, 2, 3, 4]);
		expect(keptOf({temperature: 1, xtc: {threshold: 0.5, ignored: []}}, logits)).toEqual([0, 1, 2, 3, 4]);
	});

	it('dynamic temperature takes its ends', () => {
		const dynamic = {min: 0.5, max: 1, exponent: 1};
		expectSame([1, 1, 1], {temperature: 1, dynamic});
		expect(keptOf({temperature: 1, dynamic: {min: 0, max: 1, exponent: 1}}, [200, 0])).toEqual([0, 1]);
		using sampler = new NativeSampler({dynamicMin: 0, dynamicMax: 1});
		expect(sampler.distribution([200, 0]).get(0)).toBe(1);
	});

	it('damaged logits: nothing is drawn; what is below all numbers is never drawn', () => {
		const {NaN: nan, POSITIVE_INFINITY: high, NEGATIVE_INFINITY: low} = Number;
		const every = [{temperature: 0}, {}, {topP: 0.9}, {topK: 2, tfs: 0.5}, {typicalP: 0.5}, {smoothingFactor: 0.5}];
		for (const logits of [[nan, 1, nan], [1, high, 2], [nan], [low, low], [low, nan, low], [nan, high], [0, -nan]]) {
			for (const settings of every) {
				using sampler = new NativeSampler(settings);
				expect([...sampler.draw(logits, 2)], JSON.stringify([logits, settings])).toEqual([-4, -4]);
				expect(sampler.distribution(logits).size).toBe(0);
			}
		}
		for (const logits of [
			[low, 1, 2],
			[low, low, 5],
			[1, low, 3e38],
			[-3e38, 1, 3e38],
		])
			for (const settings of every.slice(1)) expectSame(logits, {temperature: 0.7, ...settings});
		const penalties = {repetition: 1e30, presence: 1e30, frequency: 1e30, range: -1, decay: 0};
		expectSame([low, low, 1], {temperature: 1, penalties, banned: [2]}, [0, 1, 2]);
	});

	it('extreme temperatures', () => {
		for (const temperature of [1e-300, 1e-40, 1e-20, 1e20, 1e300])
			for (const settings of [{}, {smoothingFactor: 1}, {temperatureLast: true}]) {
				using sampler = new NativeSampler(nativeSettings({temperature, ...settings}));
				const probabilities = [...sampler.distribution([1, 3, 2]).values()];
				expect(Math.max(...probabilities)).toBeCloseTo(temperature < 1 ? 1 : 1 / 3, 6);
			}
	});

	it('masks: allowed, banned, and nothing left', () => {
		const logits = [5, 4, 3, 2];
		expect(keptOf({temperature: 1, allowed: [3, 1]}, logits)).toEqual([1, 3]);
		expect(keptOf({temperature: 1, banned: [0, 1, 3]}, logits)).toEqual([2]);
		expect(keptOf({temperature: 0, banned: [0, 1]}, logits)).toEqual([2]);
		expect(keptOf({temperature: 0, bias: {3: 10}}, logits)).toEqual([3]);
		expect(keptOf({temperature: 0, bias: {3: 10}, banned: [3]}, logits)).toEqual([0]);
		expect(keptOf({temperature: 1, allowed: [-1, 9, 2]}, logits)).toEqual([2]);
		using none = new NativeSampler({bannedIds: Int32Array.of(0, 1, 2, 3)});
		expect([...none.draw(logits, 2)]).toEqual([-1, -1]);
		expect(none.distribution(logits).size).toBe(0);
	});

	it('ids at and above the vocabulary are padding', () => {
		using sampler = new NativeSampler({vocabulary: 2});
		expect([...sampler.distribution([1, 2, 99]).keys()]).toEqual([0, 1]);
	});

	it('end tokens are blocked for exactly as many draws', () => {
		using sampler = new NativeSampler({temperature: 0, minTokens: 3, endIds: Int32Array.of(0, 2)});
		expect([...sampler.draw([9, 1, 8], 5)]).toEqual([1, 1, 1, 0, 0]);
	});
});
