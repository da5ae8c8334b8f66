import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {DeviceKind} from '../../lib/memory/index.js';
import type {SamplerSettings} from '../../lib/native/index.js';
import {keepDevicesOpen} from '../support/memory.js';
import {type Random, seededRandom} from '../support/random.js';
import {Bigram} from './bigram.js';
import {expectDrawnAs, NativeSampler, randomLogits} from './native.js';

keepDevicesOpen();

const vocabulary = 40;
const table = randomLogits(seededRandom(1), vocabulary * vocabulary, 2);
const logitsAfter = (token: number) => table.subarray(token * vocabulary, (token + 1) * vocabulary);

/** The text that a sampler draws token by token, each from the logits after the one before. */
function plainText(settings: Partial<SamplerSettings>, first: number, count: number): number[] {
	using sampler = new NativeSampler(settings);
	const text = [first];
	while (text.length <= count) text.push(sampler.draw(logitsAfter(text.at(-1)!), 1)[0]!);
	return text.slice(1);
}

const everything = {
	...{temperature: 1.3, topK: 20, topP: 0.95, repetitionPenalty: 1.3, mirostatTau: 3, mirostatEta: 0.2},
	...{xtcProbability: 0.4, dryMultiplier: 0.8, dryBase: 1.75, dryAllowedLength: 1, frequencyPenalty: 0.2},
};

describe.each<DeviceKind>(['cpu', 'reference'])('%s', kind => {
	let model: Bigram;
	beforeAll(async () => {
		model = await Bigram.open(kind, table);
	});
	afterAll(() => model.close());

	describe('a draft', () => {
		/** A text's beginning, wrong from some token on. */
		function draftOf(random: Random, text: readonly number[], length: number): {draft: number[]; right: number} {
			const right = random.int(length + 1);
			const wrong = (id: number) => (id + 1 + random.int(vocabulary - 1)) % vocabulary;
			return {
				draft: text.slice(0, length).map((id, i) => (i < right ? id : i === right ? wrong(id) : random.int(40))),
				right,
			};
		}

		it.each([{temperature: 0}, {temperature: 1}, everything])('leaves the text as it was: %j', async settings => {
			const random = seededRandom(2);
			for (let run = 0; run < 20; run++) {
				const seed = random.int(1000);
				const text = plainText({...settings, seed}, run, 60);
				using sampler = new NativeSampler({...settings, seed});
				let at = 0;
				let last = run;
				while (at < 40) {
					const {draft, right} = draftOf(random, text.slice(at), random.int(7));
					const rows = [last, ...draft];
					const ids = await model.step({
						tokens: rows,
						outputs: rows.map((_, i) => i),
						samplers: rows.map(() => sampler),
					});
					const drawn = text.slice(at, at + right + 1);
					expect(ids).toEqual([...drawn, ...Array(draft.length - right).fill(-2)]);
					at += drawn.length;
					last = drawn.at(-1)!;
				}
			}
		});

		it('is checked for each text of a step on its own, among others that have none', async () => {
			const random = seededRandom(3);
			for (let run = 0; run < 30; run++) {
				const jobs = Array.from({length: 5}, (_, i) => {
					const settings = {...everything, seed: run * 10 + i};
					const text = plainText(settings, i, 10);
					return {settings, text, first: i, ...draftOf(random, text, random.int(5))};
				});
				const samplers = jobs.map(({settings}) => new NativeSampler(settings));
				const rows = jobs.flatMap(({first, draft}, job) => [first, ...draft].map(token => ({token, job})));
				// A prompt in the same step, whose first rows want nothing.
				const before = Array.from({length: 3}, () => random.int(vocabulary));
				const ids = await model.step({
					tokens: [...before, ...rows.map(row => row.token)],
					outputs: rows.map((_, i) => before.length + i),
					samplers: rows.map(row => samplers[row.job]!),
				});
				const wanted = jobs.flatMap(({text, draft, right}) => [
					...text.slice(0, right + 1),
					...Array(draft.length - right).fill(-2),
				]);
				expect(ids).toEqual(wanted);
				for (const sampler of samplers) sampler[Symbol.dispose]();
			}
		});

		it('ends where no token is left', async () => {
			using sampler = new NativeSampler({
				temperature: 0,
				allowedIds: Int32Array.of(7),
				minTokens: 1,
				endIds: Int32Array.of(7),
			});
			const step = {tokens: [0, 7, 7], outputs: [0, 1, 2], samplers: [sampler, sampler, sampler]};
			expect(await model.step(step)).toEqual([-1, -2, -2]);
		});
	});

	describe('guidance', () => {
		const scales = [0, 0.5, 1.5, 3, -1];
		const logProbs = (logits: Float32Array) => {
			const most = Math.max(...logits);
			const sum = logits.reduce((all, x) => all + Math.exp(x - most), 0);
			return [...logits].map(x => x - most - Math.log(sum));
		};
		const guided = (ours: number, theirs: number, scale: number) => {
			const [p, q] = [logProbs(logitsAfter(ours)), logProbs(logitsAfter(theirs))];
			return p.map((x, i) => scale * x + (1 - scale) * q[i]!);
		};

		it.each(scales)('by %d pushes the logits away from those of the second text', async scale => {
			for (let run = 0; run < 20; run++) {
				const [ours, theirs] = [run, (7 * run + 3) % vocabulary];
				using sampler = new NativeSampler({temperature: 0, guidance: scale, observeLogits: 1});
				const {results, observations} = await model.run({
					tokens: [ours, theirs],
					outputs: [0, 1],
					samplers: [sampler, sampler],
				});
				const wanted = guided(ours, theirs, scale);
				const {logits, id} = observations![0]!;
				expect(observations!.length).toBe(1);
				// One rounding to a float at the end, of numbers below 64.
				for (const [i, x] of wanted.entries()) expect(Math.abs(logits![i]! - x)).toBeLessThan(2 ** -18);
				const best = wanted.indexOf(Math.max(...wanted));
				expect([id, ...results[0]!]).toEqual([best, best, best]);
			}
		});

		it('draws as probable as it should', async () => {
			const drawn: number[] = [];
			for (let seed = 0; drawn.length < 8000; seed += 32) {
				const samplers = Array.from({length: 32}, (_, i) => new NativeSampler({guidance: 1.5, seed: seed + i}));
				const pairs = samplers.flatMap(sampler => [sampler, sampler]);
				const ids = await model.step({
					tokens: pairs.map((_, i) => (i % 2 === 0 ? 5 : 6)),
					outputs: pairs.map((_, i) => i),
					samplers: pairs,
				});
				for (const [i, id] of ids.entries()) i % 2 === 0 ? drawn.push(id) : expect(id).toBe(ids[i - 1]);
				for (const sampler of samplers) sampler[Symbol.dispose]();
			}
			const weights = guided(5, 6, 1.5).map(Math.exp);
			const sum = weights.reduce((a, b) => a + b);
			expectDrawnAs(Int32Array.from(drawn), new Map(weights.map((w, id) => [id, w / sum])));
		});

		it('checks drafts pair by pair', async () => {
			const text = [1];
			for (let i = 0; i < 4; i++) {
				const wanted = guided(text.at(-1)!, (text.at(-1)! + 1) % vocabulary, 2);
				text.push(wanted.indexOf(Math.max(...wanted)));
			}
			for (const right of [0, 1, 2, 3]) {
				using sampler = new NativeSampler({temperature: 0, guidance: 2});
				const rows = text.slice(0, 4).map((id, i) => (i <= right ? id : (id + 1) % vocabulary));
				const tokens = rows.flatMap(id => [id, (id + 1) % vocabulary]);
				const ids = await model.step({tokens, outputs: tokens.map((_, i) => i), samplers: tokens.map(() => sampler)});
				const wanted = rows.flatMap((_, i) => (i <= right ? [text[i + 1], text[i + 1]] : [-2, -2]));
				expect(ids).toEqual(wanted);
			}
		});
	});

	describe('token -1', () => {
		it('is what was drawn last, of steps that are queued at once', async () => {
			for (const settings of [{temperature: 0}, everything]) {
				const firsts = [3, 17, 30];
				const samplers = firsts.map((_, i) => new NativeSampler({...settings, seed: i + 1}));
				const steps = Array.from({length: 25}, (_, n) =>
					model.step({
						tokens: n === 0 ? firsts : [-1, -1, -1],
						sequences: [0, 1, 2],
						outputs: [0, 1, 2],
						samplers,
					}),
				);
				const drawn = await Promise.all(steps);
				for (const [i, first] of firsts.entries())
					expect(drawn.map(ids => ids[i])).toEqual(plainText({...settings, seed: i + 1}, first, 25));
				for (const sampler of samplers) sampler[Symbol.dispose]();
			}
		});

		it('belongs to a sequence, and stays while nothing is drawn there', async () => {
			using a = new NativeSampler({temperature: 0});
			using b = new NativeSampler({temperature: 0});
			using c = new NativeSampler({temperature: 0});
			const next = (id: number) => plainText({temperature: 0}, id, 1)[0]!;
			const [first] = await model.step({tokens: [9], sequences: [2], outputs: [0], samplers: [a]});
			expect(first).toBe(next(9));
			// Others draw, in other places; this one only runs tokens of a prompt.
			await model.step({tokens: [4, 5, 6], sequences: [0, 1, 2], outputs: [0, 1], samplers: [b, c]});
			await model.step({tokens: [8, 9], sequences: [2, 2]});
			expect(await model.step({tokens: [-1], sequences: [2], outputs: [0], samplers: [a]})).toEqual([next(next(9))]);
		});

		it('is the last that counts of a draft, and none where nothing could be drawn', async () => {
			using sampler = new NativeSampler({temperature: 0});
			const text = plainText({temperature: 0}, 2, 6);
			const draft = {tokens: [2, text[0]!, text[1]!, (text[2]! + 1) % vocabulary, 0], outputs: [0, 1, 2, 3, 4]};
			const drawn = model.step({...draft, samplers: draft.outputs.map(() => sampler)});
			const after = model.step({tokens: [-1], outputs: [0], samplers: [sampler]});
			expect(await drawn).toEqual([...text.slice(0, 3), -2, -2]);
			expect(await after).toEqual([text[3]]);

			using none = new NativeSampler({temperature: 0, bannedIds: Int32Array.from({length: vocabulary}, (_, i) => i)});
			expect(await model.step({tokens: [1], outputs: [0], samplers: [none]})).toEqual([-1]);
			expect(await model.step({tokens: [-1], outputs: [0], samplers: [sampler]})).toEqual([text[4]]);
		});

		it('is refused where there are no sequences', async () => {
			const bare = await Bigram.open(kind, table, {cached: false});
			try {
				using sampler = new NativeSampler();
				const refused = {code: 'EXL_INVALID_ARGUMENT', message: expect.stringContaining('tokens holds -1')};
				await expect(bare.step({tokens: [-1], outputs: [0], samplers: [sampler]})).rejects.toMatchObject(refused);
				await expect(model.step({tokens: [-2], outputs: [0], samplers: [sampler]})).rejects.toMatchObject({
					code: 'EXL_INVALID_ARGUMENT',
				});
			} finally {
				await bare.close();
			}
		});
	});
});
