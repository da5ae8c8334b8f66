import {pageTokens} from '../cache/index.js';
import type {Device, Handle} from '../memory/index.js';
import type {ConfiguredModel, WeightScope} from '../models/index.js';
import {sample, tokenLogProb} from '../ops/index.js';
import {CacheLayer, Program, type ProgramLimits, Recorder, type Value, type WeightStore} from '../program/index.js';

/** What a program does with the logits. */
export type Purpose = 'sample' | 'logits' | 'score';

export type Recording = {readonly recorder: Recorder; readonly result: Value};

export type ProgramPlace = {
	readonly device: Device;
	readonly weights: WeightStore;
	readonly cache: Handle;
	readonly owner: string;
	readonly batch: BatchSize;
	readonly threads: number;
};

/** How many sequences a step takes, and how long they may be. */
export type BatchSize = {readonly sequences: number; readonly pagesPerSequence: number};

/**
Records the program of a model for one purpose.

@param drawnIds Ids from here on are never drawn: a model may have logits that no token of its tokenizer belongs to.
*/
export function recordModel(
	{shape, forward}: ConfiguredModel,
	scope: WeightScope,
	purpose: Purpose,
	batch: BatchSize,
	drawnIds: number = shape.vocabulary,
): Recording {
	const recorder = new Recorder(purpose === 'sample' ? batch : {...batch, sequences: 1});
	const cache = (layer: number) => new CacheLayer(layer, [shape.keyHeads, shape.headDim]);
	const logits = scope.whole(shape, () => forward({recorder, cache}, scope));
	const finish = {
		sample: () => sample(logits, drawnIds),
		score: () => tokenLogProb(logits, shape.vocabulary),
		logits: () => logits,
	};
	return {recorder, result: finish[purpose]()};
}

/** Rows per step: scoring wants the logits of every row, which are wide, so it takes fewer. */
export const rowsPerStep = {sample: 256, logits: 256, score: 64} as const;

/** Outputs of a step: a single job has some to check guesses with. */
const leastOutputs = 8;

export function limitsOf(purpose: Purpose, {batch, threads}: ProgramPlace): ProgramLimits {
	const maxRows = Math.min(rowsPerStep[purpose], batch.pagesPerSequence * pageTokens);
	const common = {maxRows, pagesPerSequence: batch.pagesPerSequence, threads};
	if (purpose === 'sample') {
		return {...common, maxOutputs: Math.max(batch.sequences, leastOutputs), maxSequences: batch.sequences};
	}
	return {...common, maxOutputs: purpose === 'score' ? maxRows : 1, maxSequences: 1};
}

export function compileModel({recorder, result}: Recording, purpose: Purpose, place: ProgramPlace): Promise<Program> {
	const {device, weights, owner, cache} = place;
	return Program.compile(recorder, [result], {device, weights, cache: cache.id, owner}, limitsOf(purpose, place));
}

/** What else a model is asked for; each program is compiled when it is first wanted. */
export class ProgramSet {
	readonly #configured: ConfiguredModel;
	readonly #scope: WeightScope;
	readonly #place: ProgramPlace;
	readonly #wanted = new Map<Purpose, Promise<Program>>();
	readonly #compiled: Program[] = [];

	constructor(configured: ConfiguredModel, scope: WeightScope, place: ProgramPlace) {
		this.#configured = configured;
		this.#scope = scope;
		this.#place = place;
	}

	get(purpose: Exclude<Purpose, 'sample'>): Promise<Program> {
		const known = this.#wanted.get(purpose);
		if (known) return known;
		const program = this.#compile(purpose);
		this.#wanted.set(purpose, program);
		// What failed for want of memory may work the next time.
		program.catch(() => this.#wanted.delete(purpose));
		return program;
	}

	release(): void {
		for (const program of this.#compiled) program.release();
	}

	async #compile(purpose: Purpose): Promise<Program> {
		const recording = recordModel(this.#configured, this.#scope, purpose, this.#place.batch);
		const program = await compileModel(recording, purpose, this.#place);
		this.#compiled.push(program);
		return program;
	}
}
