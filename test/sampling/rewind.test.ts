import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {Device} from '../../lib/memory/index.js';
import type {SamplerSettings} from '../../lib/native/index.js';
import {keepDevicesOpen} from '../support/memory.js';
import {seededRandom} from '../support/random.js';
import {NativeSampler, randomLogits} from './native.js';

keepDevicesOpen();

let device: Device;
beforeAll(() => {
	device = Device.acquire('cpu');
});
afterAll(() => device.release());

const vocabulary = 50;
const random = seededRandom(2);
/** The logits of each draw. */
const logits = Array.from({length: 60}, () => randomLogits(random, vocabulary, 2));

const drawOne = (sampler: NativeSampler, n: number) => sampler.draw(logits[n]!, 1)[0]!;

/** States that draws leave behind: what is seen again, how often, how surprising, in what order. */
const states: Record<string, Partial<SamplerSettings>> = {
	'none but the number of draws': {},
	penalties: {
		repetitionPenalty: 1.5,
		frequencyPenalty: 0.5,
		presencePenalty: 0.5,
		repetitionRange: 10,
		repetitionDecay: 5,
	},
	DRY: {dryMultiplier: 2, dryBase: 1.5, dryAllowedLength: 1, topK: 3},
	mirostat: {mirostatTau: 2, mirostatEta: 0.5},
	XTC: {xtcProbability: 0.5, xtcThreshold: 0.05},
	'fewest tokens': {minTokens: 20, endIds: Int32Array.from({length: 40}, (_, i) => i)},
	everything: {
		repetitionPenalty: 1.3,
		dryMultiplier: 1,
		mirostatTau: 3,
		mirostatEta: 0.3,
		xtcProbability: 0.3,
		minTokens: 5,
	},
};

const prompt = [1, 2, 3, 1, 2];

describe.each(Object.entries(states))('of a state of %s', (_, settings) => {
	it('draws after a rewind are the first ones again', async () => {
		using plain = new NativeSampler({...settings, seed: 4}, prompt);
		const text = logits.map((_, n) => drawOne(plain, n));
		using sampler = new NativeSampler({...settings, seed: 4}, prompt);
		let drawn = 0;
		for (let move = 0; move < 40; move++) {
			for (const until = Math.min(logits.length, drawn + random.int(20)); drawn < until; drawn++)
				expect(drawOne(sampler, drawn)).toBe(text[drawn]);
			drawn -= random.int(drawn + 1);
			await sampler.rewind(device, drawn);
			if (drawn === logits.length) continue;
			using fresh = new NativeSampler({...settings, seed: 4}, prompt);
			for (let n = 0; n < drawn; n++) drawOne(fresh, n);
			expect(sampler.distribution(logits[drawn]!)).toEqual(fresh.distribution(logits[drawn]!));
		}
	});

	it('ids that are banned are not drawn in that place, and only there', async () => {
		using sampler = new NativeSampler({...settings, seed: 5}, prompt);
		for (let n = 0; n < 30; n++) drawOne(sampler, n);
		for (const at of [29, 20, 6, 0]) {
			await sampler.rewind(device, at);
			const before = sampler.distribution(logits[at]!);
			const [banned] = before.keys();
			const first = drawOne(sampler, at);
			await sampler.rewind(device, at, [banned!, first, -1, 5000]);
			const left = sampler.distribution(logits[at]!);
			expect(left.has(banned!) || left.has(first)).toBe(false);
			expect([banned, first]).not.toContain(drawOne(sampler, at));
			// Not the next draw, and not the same draw after another rewind.
			using fresh = new NativeSampler({seed: 5});
			await sampler.rewind(device, at);
			expect(sampler.distribution(logits[at]!)).toEqual(before);
			expect(fresh.distribution(logits[at]!).size).toBe(vocabulary);
		}
	});
});

it('a ban ends with the draw it was for', async () => {
	using sampler = new NativeSampler({temperature: 0});
	const flat = Float32Array.of(3, 2, 1);
	expect([...sampler.draw(flat, 3)]).toEqual([0, 0, 0]);
	await sampler.rewind(device, 1, [0, 1]);
	expect([...sampler.draw(flat, 3)]).toEqual([2, 0, 0]);
	// Where nothing was drawn, it stays.
	await sampler.rewind(device, 4, [0, 1, 2]);
	expect([...sampler.draw(flat, 2)]).toEqual([-1, -1]);
	await sampler.rewind(device, 4, [0]);
	expect([...sampler.draw(flat, 2)]).toEqual([1, 0]);
});

it('forgets nothing that comes before, and no draws that were not made', async () => {
	using sampler = new NativeSampler({seed: 6, repetitionPenalty: 2}, prompt);
	using plain = new NativeSampler({seed: 6, repetitionPenalty: 2}, prompt);
	const text = logits.map((_, n) => drawOne(plain, n));
	for (const draws of [0, 10]) {
		await sampler.rewind(device, draws);
		expect(drawOne(sampler, 0)).toBe(text[0]);
		await sampler.rewind(device, 1);
		await sampler.rewind(device, 100);
		expect(drawOne(sampler, 1)).toBe(text[1]);
		await sampler.rewind(device, 0);
	}
	await sampler.rewind(device, -5);
	expect(drawOne(sampler, 0)).toBe(text[0]);
});

it('first ids are those of the first draw, again after a rewind to it', async () => {
	const settings = {seed: 7, topK: 10, firstAllowedIds: Int32Array.of(3, 4, 49, 70)};
	using sampler = new NativeSampler(settings, prompt);
	using free = new NativeSampler({...settings, firstAllowedIds: Int32Array.of()}, prompt);
	expect([...sampler.distribution(logits[0]!).keys()].sort((a, b) => a - b)).toEqual([3, 4, 49]);
	const first = drawOne(sampler, 0);
	expect([3, 4, 49]).toContain(first);
	drawOne(free, 0);
	for (let n = 1; n < 20; n++) expect(drawOne(sampler, n)).toBe(drawOne(free, n));
	await sampler.rewind(device, 1);
	expect(sampler.distribution(logits[1]!).size).toBe(10);
	await sampler.rewind(device, 0, [first]);
	const others = [3, 4, 49].filter(id => id !== first);
	expect([...sampler.distribution(logits[0]!).keys()].sort((a, b) => a - b)).toEqual(others);
	using both = new NativeSampler({...settings, allowedIds: Int32Array.of(4, 9), temperature: 0});
	expect(drawOne(both, 0)).toBe(4);
	expect([4, 9]).toContain(drawOne(both, 1));
	using none = new NativeSampler({...settings, allowedIds: Int32Array.of(9)});
	expect(drawOne(none, 0)).toBe(-1);
});
