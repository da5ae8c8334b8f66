import type {SequencePages} from '../cache/index.js';
import {ExlError} from '../errors/index.js';
import type {Sequence} from '../generator/index.js';
import {prefillTokens} from '../generator/index.js';
import {Handle} from '../memory/index.js';
import {addon, type NativeArray, type SamplerSettings, type Slots} from '../native/index.js';
import type {Program} from '../program/index.js';

const none = new Int32Array(0);

/** One sequence of tokens in the cache of a model. */
export class ModelSequence implements Sequence {
	readonly #program: Program;
	readonly #pages: SequencePages;
	#sampler: Handle | undefined;

	/** @param program Compiled for sampling. */
	constructor(program: Program, pages: SequencePages) {
		this.#program = program;
		this.#pages = pages;
	}

	/** @param promptIds What the penalties see before the first draw. */
	sampleWith(settings: SamplerSettings, promptIds: readonly number[]): void {
		const id = addon().createSampler(settings);
		this.#sampler = new Handle(id, 'the sampler');
		addon().feedSampler(id, Int32Array.from(promptIds));
	}

	async prefill(ids: readonly number[], position: number): Promise<void> {
		await this.#program.step(this.slots(ids, position));
	}

	async step(ids: readonly number[], position: number): Promise<number> {
		const slots = this.slots(ids, position, [ids.length - 1]);
		const [drawn] = await this.#program.step({...slots, samplers: Int32Array.of(this.#sampler!.id)});
		const id = drawn![0]!;
		if (id >= 0) return id;
		const message = 'allowedTokens, bannedTokens and minTokens leave no token that may come next';
		throw new ExlError('EXL_INVALID_ARGUMENT', message);
	}

	/** Logits after the last of `ids`, which begin the sequence. */
	async logits(program: Program, ids: readonly number[], signal?: AbortSignal): Promise<NativeArray> {
		for (let at = 0; ; at += prefillTokens) {
			signal?.throwIfAborted();
			const piece = ids.slice(at, at + prefillTokens);
			const isLast = at + piece.length === ids.length;
			const [logits] = await program.step(this.slots(piece, at, isLast ? [piece.length - 1] : []));
			if (isLast) return logits!;
		}
	}

	/** Slots that run `ids` from `position` on and want the logits of the rows in `outputs`. */
	slots(ids: readonly number[], position: number, outputs: readonly number[] = []): Slots {
		return {
			tokens: Int32Array.from(ids),
			positions: Int32Array.from(ids, (_, i) => position + i),
			sequences: new Int32Array(ids.length),
			pages: this.#pages.pages,
			outputs: outputs.length > 0 ? Int32Array.from(outputs) : none,
		};
	}

	release(): void {
		this.#sampler?.release();
		this.#pages.release();
	}
}
