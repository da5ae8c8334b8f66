import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {DeviceKind} from '../../lib/memory/index.js';
import {addon, type Observation, type SamplerSettings} from '../../lib/native/index.js';
import {keepDevicesOpen} from '../support/memory.js';
import {seededRandom} from '../support/random.js';
import {Bigram} from './bigram.js';
import {NativeSampler, randomLogits} from './native.js';

keepDevicesOpen();

const vocabulary = 300;
const table = randomLogits(seededRandom(1), vocabulary * vocabulary, 3);
const row = (token: number) => table.subarray(token * vocabulary, (token + 1) * vocabulary);
// What a model may say at most, and equal logits.
row(1).set([-3e38, 3e38, Number.NEGATIVE_INFINITY, 5, 5]);
row(2).fill(0.5);

/** What changes the logits before the draw, or what may be drawn: none of it is the model's own opinion. */
const tampering = {
	...{temperature: 0.5, topK: 5, repetitionPenalty: 2, presencePenalty: 3, minP: 0.1, seed: 9},
	...{biasIds: Int32Array.of(7, 8), biasValues: Float32Array.of(50, 49), bannedIds: Int32Array.of(7)},
};

const bounded = (x: number) => (Number.isNaN(x) ? -1e30 : Math.min(1e30, Math.max(-1e30, x)));

function logProbs(logits: Float32Array): number[] {
	const bound = Array.from(logits, bounded);
	const most = Math.max(...bound);
	const sum = bound.reduce((all, x) => all + Math.exp(x - most), 0);
	return bound.map(x => x - most - Math.log(sum));
}

/** Rounded to a float once; sums in double precision differ by less than that. */
const near = (found: number, wanted: number) =>
	expect(Math.abs(found - wanted)).toBeLessThanOrEqual(2 ** -24 * Math.abs(wanted) + 2 ** -40);

describe.each<DeviceKind>(['cpu', 'reference'])('%s', kind => {
	let model: Bigram;
	beforeAll(async () => {
		model = await Bigram.open(kind, table);
	});
	afterAll(() => model.close());

	async function seen(settings: Partial<SamplerSettings>, token: number, history: readonly number[] = []) {
		using sampler = new NativeSampler(settings, history);
		const {results, observations = []} = await model.run({tokens: [token], outputs: [0], samplers: [sampler]});
		return {id: results[0]![0]!, observations};
	}

	it.each([0, 1, 5, vocabulary, vocabulary + 10])('%d log-probabilities are the model’s own', async observeTop => {
		for (const settings of [{}, tampering]) {
			for (let token = 0; token < 30; token++) {
				const wanted = logProbs(row(token));
				const logits = Array.from(row(token), bounded);
				const order = logits.map((_, id) => id).sort((a, b) => logits[b]! - logits[a]! || a - b);
				const {id, observations} = await seen({...settings, observeTop}, token, [3, 8, 9]);
				const [observation] = observations as [Observation];
				expect(observations.length).toBe(1);
				expect(observation.id).toBe(id);
				near(observation.logProb, wanted[id]!);
				const top = order.slice(0, observeTop);
				expect([...observation.topIds]).toEqual(top);
				for (const [i, other] of top.entries()) near(observation.topLogProbs[i]!, wanted[other]!);
				expect(observation.logits).toBeUndefined();
			}
		}
	});

	it('logits are unchanged, and looking at them changes no draw', async () => {
		for (let token = 0; token < 30; token++) {
			for (const settings of [{}, tampering]) {
				const plain = await seen(settings, token, [3, 8, 9]);
				expect(plain.observations).toEqual([]);
				const {id, observations} = await seen({...settings, observeLogits: 1, observeTop: 3}, token, [3, 8, 9]);
				expect(id).toBe(plain.id);
				expect(observations[0]!.logits).toEqual(row(token).slice());
			}
		}
	});

	it('come in the order of the outputs, of those who asked', async () => {
		using plain = new NativeSampler({temperature: 0});
		using one = new NativeSampler({temperature: 0, observeTop: 1});
		using two = new NativeSampler({temperature: 0, observeLogits: 1});
		const best = (token: number) => row(token).indexOf(Math.max(...row(token)));
		const guess = best(10);
		const tokens = [10, guess, 11, 12, 13];
		const step = {tokens, outputs: [0, 1, 2, 3, 4], samplers: [one, one, plain, two, plain]};
		const {results, observations} = await model.run(step);
		expect([...results[0]!]).toEqual(tokens.map(best));
		expect(observations!.map(({id}) => id)).toEqual([best(10), best(guess), best(12)]);
		expect(observations!.map(({topIds}) => topIds.length)).toEqual([1, 1, 0]);
		expect(observations![2]!.logits).toEqual(row(12).slice());
		// They are handed over once.
		expect((await model.run({tokens, outputs: [2], samplers: [plain]})).observations).toBeUndefined();

		// What a failed draft would have drawn is not seen.
		const failed = {tokens: [10, guess + 1, 11], outputs: [0, 1, 2], samplers: [one, one, one]};
		expect((await model.run(failed)).observations!.map(({id}) => id)).toEqual([guess]);
	});

	it('a draw left to somebody else waits for it', async () => {
		for (const settings of [{}, tampering]) {
			using plain = new NativeSampler(settings);
			using deferred = new NativeSampler({...settings, defer: 1});
			let token = 20;
			for (let n = 0; n < 20; n++) {
				const {observations, results} = await model.run({tokens: [token], outputs: [0], samplers: [deferred]});
				expect([results[0]![0], observations![0]!.id]).toEqual([-3, -3]);
				expect(observations![0]!.logits).toEqual(row(token).slice());
				const [drawn] = addon().samplerDraw(deferred.id, observations![0]!.logits!, 1);
				expect([drawn]).toEqual(await model.step({tokens: [token], outputs: [0], samplers: [plain]}));
				token = drawn!;
			}
		}
	});

	it('a draft ends at a draw that is left to somebody else', async () => {
		using deferred = new NativeSampler({defer: 1, observeTop: 2});
		const {results, observations} = await model.run({
			tokens: [4, 5, 6],
			outputs: [0, 1, 2],
			samplers: [deferred, deferred, deferred],
		});
		expect([...results[0]!]).toEqual([-3, -2, -2]);
		expect(observations!.length).toBe(1);
		expect(observations![0]!.topIds.length).toBe(2);
	});
});
