import {Device, type DeviceKind, Handle} from '../../lib/memory/index.js';
import {addon, plainSource, type StepReply} from '../../lib/native/index.js';
import {embed, gatherRows, sample} from '../../lib/ops/index.js';
import {Program, Recorder, Weight, WeightStore} from '../../lib/program/index.js';

export type BigramStep = {
	/** -1: the one last drawn in its sequence. */
	readonly tokens: readonly number[];
	/** Rows whose next token is wanted, and who draws it. */
	readonly outputs?: readonly number[];
	readonly samplers?: readonly {readonly id: number}[];
	/** @default all the same */
	readonly sequences?: readonly number[];
};

/** The smallest language model there is: the logits after a token are its row of a table. */
export class Bigram {
	readonly #program: Program;
	readonly #cached: boolean;
	readonly #parts: {release(): void}[];

	private constructor(
		readonly device: Device,
		program: Program,
		cached: boolean,
		parts: {release(): void}[],
	) {
		this.#program = program;
		this.#cached = cached;
		this.#parts = parts;
	}

	/** @param table `[vocabulary, vocabulary]` */
	static async open(kind: DeviceKind, table: Float32Array, {rows = 64, sequences = 4, cached = true} = {}) {
		const vocabulary = Math.sqrt(table.length);
		const shape = [vocabulary, vocabulary];
		const device = Device.acquire(kind);
		const weights = new WeightStore(device, 'bigram');
		const data = new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
		const weight = new Weight('bigram', shape, async () => plainSource({dtype: 'F32', shape, data}));
		await weights.load([weight]);

		// Nothing is kept in the cache; it is what makes sequences of the rows.
		const pagesPerSequence = cached ? 1 : 0;
		const recorder = new Recorder({sequences, pagesPerSequence});
		const result = sample(gatherRows(embed(recorder, weight)), vocabulary);
		const size = {layers: 1, pages: sequences, keyHeads: 1, dim: 1};
		const cache = new Handle(addon().createCache(device.id, size, 'bigram'), 'cache');
		const program = await Program.compile(
			recorder,
			[result],
			{device, weights, owner: 'bigram', ...(cached && {cache: cache.id})},
			{maxRows: rows, maxOutputs: rows, maxSequences: sequences, pagesPerSequence, threads: 2},
		);
		return new Bigram(device, program, cached, [program, cache, weights]);
	}

	async run({tokens, outputs = [], samplers = [], sequences = tokens.map(() => 0)}: BigramStep): Promise<StepReply> {
		return this.#program.run({
			tokens: Int32Array.from(tokens),
			positions: Int32Array.from(tokens, (_, i) => i),
			sequences: Int32Array.from(sequences),
			pages: Int32Array.from({length: this.#cached ? Math.max(...sequences) + 1 : 0}, (_, i) => i),
			outputs: Int32Array.from(outputs),
			samplers: Int32Array.from(samplers, sampler => sampler.id),
		});
	}

	/** The ids that were drawn. */
	async step(step: BigramStep): Promise<number[]> {
		const {results} = await this.run(step);
		return [...results[0]!];
	}

	async close(): Promise<void> {
		for (const part of this.#parts) part.release();
		await this.device.release();
	}
}
