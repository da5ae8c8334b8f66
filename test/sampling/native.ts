import {expect} from 'vitest';
import type {Device} from '../../lib/memory/index.js';
import {addon, type SamplerSettings} from '../../lib/native/index.js';
import type {Random} from '../support/random.js';
import type {Settings} from './reference.js';

export const off = {temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 1};

/** A sampler of the addon. */
export class NativeSampler implements Disposable {
	readonly #id: number;

	get id(): number {
		return this.#id;
	}

	constructor(settings: Partial<SamplerSettings> = {}, history: readonly number[] = []) {
		this.#id = addon().createSampler({...off, ...settings});
		this.feed(history);
	}

	feed(tokens: readonly number[]): void {
		addon().feedSampler(this.#id, Int32Array.from(tokens));
	}

	/** Probability by id of what the next draw chooses from. */
	distribution(logits: ArrayLike<number>): Map<number, number> {
		const {ids, probabilities} = addon().samplerDistribution(this.#id, Float32Array.from(logits));
		const result = new Map(Array.from(ids, (id, i) => [id, probabilities[i]!]));
		expect(result.size).toBe(ids.length);
		return result;
	}

	draw(logits: ArrayLike<number>, count: number): Int32Array {
		return addon().samplerDraw(this.#id, Float32Array.from(logits), count);
	}

	rewind(device: Device, draws: number, banned: readonly number[] = []): Promise<void> {
		return addon().rewindSampler(device.id, this.#id, draws, Int32Array.from(banned));
	}

	[Symbol.dispose](): void {
		addon().release(this.#id);
	}
}

export function nativeSettings(settings: Settings): Partial<SamplerSettings> {
	const {dynamic, xtc, penalties, dry, bias = {}, mirostatMu, temperatureLast, exllamav2} = settings;
	const {temperature, smoothingFactor = 0, topK = 0, topP = 1, topA = 0, minP = 0, tfs = 1, typicalP = 1} = settings;
	return {
		...{temperature, smoothingFactor, topK, topP, topA, minP, tfs, typicalP},
		temperatureLast: temperatureLast ? 1 : 0,
		exllamav2: exllamav2 ? 1 : 0,
		...(dynamic && {dynamicMin: dynamic.min, dynamicMax: dynamic.max, dynamicExponent: dynamic.exponent}),
		...(mirostatMu !== undefined && {mirostatTau: mirostatMu / 2}),
		...(xtc && {xtcProbability: 1, xtcThreshold: xtc.threshold, xtcIgnored: Int32Array.from(xtc.ignored)}),
		...(penalties && {
			repetitionPenalty: penalties.repetition,
			presencePenalty: penalties.presence,
			frequencyPenalty: penalties.frequency,
			repetitionRange: penalties.range,
			repetitionDecay: penalties.decay,
		}),
		...(dry && {
			dryMultiplier: dry.multiplier,
			dryBase: dry.base,
			dryAllowedLength: dry.allowedLength,
			dryRange: dry.range,
			dryBreakers: Int32Array.from(dry.breakers),
		}),
		biasIds: Int32Array.from(Object.keys(bias).map(Number)),
		biasValues: Float32Array.from(Object.values(bias)),
		allowedIds: Int32Array.from(settings.allowed ?? []),
		bannedIds: Int32Array.from(settings.banned ?? []),
	};
}

/** Normally distributed, as floats. */
export function randomLogits(random: Random, count: number, spread: number): Float32Array {
	const normal = () => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
	return Float32Array.from({length: count}, () => spread * normal());
}

/** Fails where counts are too far from what probabilities promise: about 5 standard deviations of chi-square. */
export function expectDrawnAs(drawn: Int32Array, probabilities: ReadonlyMap<number, number>): void {
	const counts = new Map<number, number>();
	for (const id of drawn) counts.set(id, (counts.get(id) ?? 0) + 1);
	for (const id of counts.keys()) expect(probabilities.get(id) ?? 0, `token ${id} was drawn`).toBeGreaterThan(0);

	let sum = 0;
	for (const [id, p] of probabilities) {
		const wanted = p * drawn.length;
		if (wanted > 0) sum += ((counts.get(id) ?? 0) - wanted) ** 2 / wanted;
	}
	const freedom = probabilities.size - 1;
	expect(sum).toBeLessThan(freedom + 5 * Math.sqrt(2 * freedom) + 5);
}
