import type {PagedSequence} from '../cache/index.js';
import type {NativeArray, Slots} from '../native/index.js';
import type {Program} from '../program/index.js';
import {rowsPerStep} from './programs.js';

const none = new Int32Array(0);

/** Tokens that are run in one go, from the first to the last, on pages of their own. */
export class TokenWindow {
	readonly #ids: readonly number[];
	readonly #pages: Int32Array;

	constructor(ids: readonly number[], sequence: PagedSequence, pagesPerSequence: number) {
		this.#ids = ids;
		this.#pages = new Int32Array(pagesPerSequence);
		sequence.writeRow(this.#pages, 0);
	}

	/** Logits after the last token. */
	async logits(program: Program, signal: AbortSignal): Promise<NativeArray> {
		for (let at = 0; ; at += rowsPerStep.logits) {
			signal.throwIfAborted();
			const end = Math.min(at + rowsPerStep.logits, this.#ids.length);
			const isLast = end === this.#ids.length;
			const [logits] = await program.step(this.#slots(at, end, isLast ? Int32Array.of(end - at - 1) : none));
			if (isLast) return logits!;
		}
	}

	/** Natural logarithm of the probability of every token but the first. */
	async logProbs(program: Program, signal: AbortSignal): Promise<Float64Array> {
		const logProbs = new Float64Array(this.#ids.length - 1);
		for (let at = 0; at < logProbs.length; at += rowsPerStep.score) {
			signal.throwIfAborted();
			const end = Math.min(at + rowsPerStep.score, logProbs.length);
			const outputs = Int32Array.from({length: end - at}, (_, i) => i);
			const targets = Int32Array.from(this.#ids.slice(at + 1, end + 1));
			const [scores] = await program.step({...this.#slots(at, end, outputs), targets});
			logProbs.set(scores!, at);
		}
		return logProbs;
	}

	#slots(from: number, end: number, outputs: Int32Array): Slots {
		const tokens = Int32Array.from(this.#ids.slice(from, end));
		return {
			tokens,
			positions: Int32Array.from(tokens, (_, i) => from + i),
			sequences: new Int32Array(tokens.length),
			pages: this.#pages,
			outputs,
		};
	}
}
