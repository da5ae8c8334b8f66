import {pageTokens} from '../cache/index.js';
import type {Device, Handle} from '../memory/index.js';
import type {ConfiguredModel, WeightScope} from '../models/index.js';
import {sample, tokenLogProb} from '../ops/index.js';
import {CacheLayer, Program, Recorder, type Value, type WeightStore} from '../program/index.js';

/** What a program does with the logits. */
export type Purpose = 'sample' | 'logits' | 'score';

export type Recording = {readonly recorder: Recorder; readonly result: Value};

export type ProgramPlace = {
	readonly device: Device;
	readonly weights: WeightStore;
	readonly cache: Handle;
	readonly owner: string;
	readonly pages: number;
	readonly threads: number;
};

/**
Records the program of a model for one purpose.

@param drawnIds Ids from here on are never drawn: a model may have logits that no token of its tokenizer belongs to.
*/
export function recordModel(
	{shape, forward}: ConfiguredModel,
	scope: WeightScope,
	purpose: Purpose,
	pages: number,
	drawnIds: number = shape.vocabulary,
): Recording {
	const recorder = new Recorder({sequences: 1, pagesPerSequence: pages});
	const cache = (layer: number) => new CacheLayer(layer, [shape.keyHeads, shape.headDim]);
	const logits = forward({recorder, cache}, scope);
	const finish = {
		sample: () => sample(logits, drawnIds),
		score: () => tokenLogProb(logits, shape.vocabulary),
		logits: () => logits,
	};
	return {recorder, result: finish[purpose]()};
}

/** Rows and outputs per step: scoring wants the logits of every row, which are wide, so it takes fewer. */
export const rowsPerStep = {sample: 256, logits: 256, score: 64} as const;

export function compileModel({recorder, result}: Recording, purpose: Purpose, place: ProgramPlace): Promise<Program> {
	const rows = Math.min(rowsPerStep[purpose], place.pages * pageTokens);
	const {device, weights, owner, pages, threads} = place;
	return Program.compile(
		recorder,
		[result],
		{device, weights, cache: place.cache.id, owner},
		{
			maxRows: rows,
			maxOutputs: purpose === 'score' ? rows : 1,
			maxSequences: 1,
			pagesPerSequence: pages,
			threads,
		},
	);
}

/** The programs of one model, each compiled when it is first wanted. */
export class ProgramSet {
	readonly #configured: ConfiguredModel;
	readonly #scope: WeightScope;
	readonly #place: ProgramPlace;
	readonly #wanted = new Map<Purpose, Promise<Program>>();
	readonly #compiled: Program[];

	/** @param sampling Compiled already. */
	constructor(configured: ConfiguredModel, scope: WeightScope, place: ProgramPlace, sampling: Program) {
		this.#configured = configured;
		this.#scope = scope;
		this.#place = place;
		this.#compiled = [sampling];
		this.#wanted.set('sample', Promise.resolve(sampling));
	}

	get(purpose: Purpose): Promise<Program> {
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
		const recording = recordModel(this.#configured, this.#scope, purpose, this.#place.pages);
		const program = await compileModel(recording, purpose, this.#place);
		this.#compiled.push(program);
		return program;
	}
}
