import {logitsNotFinite} from '../errors/index.js';
import type {Drafter, Step, Strand} from '../generator/index.js';
import type {ModelEngine} from './engine.js';

const greedy = {temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0};

const none = new Int32Array(0);

/**
A smaller model that guesses tokens. Its cache has the same pages as the model it guesses for, and every step of that one
runs here as well, so a page that is shared or copied there is so here.
*/
export class DraftModel {
	readonly #engine: ModelEngine;
	readonly #contextTokens: number;
	readonly #pages: Int32Array;

	constructor(engine: ModelEngine, contextTokens: number) {
		this.#engine = engine;
		this.#contextTokens = contextTokens;
		this.#pages = new Int32Array(engine.maxSequences * engine.pagesPerSequence);
	}

	/** Keys and values of a step of the other model. */
	async follow(step: Step): Promise<void> {
		await this.#engine.run({...step, outputs: none, samplers: none});
	}

	copyPages(from: Int32Array, to: Int32Array): Promise<void> {
		return this.#engine.copyPages(from, to);
	}

	drafter(): Drafter {
		const sampler = this.#engine.createSampler(greedy, []);
		return {draft: (strand, count) => this.#draft(strand, count, sampler.id), release: () => sampler.release()};
	}

	async #draft({ids, row, sequence}: Strand, count: number, sampler: number): Promise<number[]> {
		sequence!.writeRow(this.#pages, row * this.#engine.pagesPerSequence);
		const first = ids.length - 1;
		const steps = [];
		for (let i = 0; i < Math.min(count, this.#contextTokens - ids.length); i++) {
			const step = {
				// The one before has drawn it by then.
				tokens: Int32Array.of(i === 0 ? ids[first]! : -1),
				positions: Int32Array.of(first + i),
				sequences: Int32Array.of(row),
				pages: this.#pages,
				outputs: Int32Array.of(0),
				samplers: Int32Array.of(sampler),
			};
			steps.push(this.#engine.run(step));
		}
		const replies = await Promise.all(steps);
		return replies.map(({ids: drawn}) => {
			if (drawn[0]! < 0) throw logitsNotFinite('the draft model');
			return drawn[0]!;
		});
	}

	release(): void {
		this.#engine.release();
	}
}
