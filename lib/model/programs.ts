import {pageTokens} from '../cache/index.js';
import type {Device, Handle} from '../memory/index.js';
import type {ConfiguredModel, WeightScope} from '../models/index.js';
import {sample, tokenLogProb} from '../ops/index.js';
import {CacheLayer, Program, Recorder, type Value, type WeightStore, weightsOf} from '../program/index.js';

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

/** Records the program of a model for one purpose. */
export function recordModel(
	{shape, forward}: ConfiguredModel,
	scope: WeightScope,
	purpose: Purpose,
	pages: number,
): Recording {
	const recorder = new Recorder({sequences: 1, pagesPerSequence: pages});
	const cache = (layer: number) => new CacheLayer(layer, [shape.keyHeads, shape.headDim]);
	const logits = forward({recorder, cache}, scope);
	const finish = {
		sample: () => sample(logits, shape.vocabulary),
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

export {weightsOf};
