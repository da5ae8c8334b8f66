import {availableParallelism} from 'node:os';
import type {Device} from '../memory/index.js';
import type {NativeHandle, Slots} from '../native/index.js';
import {type External, Program, Recorder, type Value, WeightStore} from '../program/index.js';
import {Tensor} from './tensor.js';

export type Once = {
	readonly device: Device;
	readonly weights?: WeightStore;
	readonly cache?: {readonly handle: NativeHandle; readonly pages: number};
	readonly rows?: number;
	readonly outputs?: number;
	/** Rows of the page table; the pages of the cache are shared out evenly. */
	readonly sequences?: number;
	readonly slots?: Slots;
	/** Returns the value to keep, if any. */
	readonly record: (recorder: Recorder) => Value | undefined;
};

/** Records a program of a few ops over user tensors, runs it once, and keeps its value in a new tensor. */
export async function runOnce({
	device,
	weights = new WeightStore(device, 'ops'),
	cache,
	rows = 1,
	outputs = 1,
	sequences = 1,
	slots = {},
	record,
}: Once): Promise<Tensor | undefined> {
	const pagesPerSequence = (cache?.pages ?? 0) / sequences;
	const recorder = new Recorder({rows, outputs, sequences, pagesPerSequence});
	const value = record(recorder);
	const result = value && Tensor.zeros(value.shape as readonly number[], {device: device.kind});
	let program: Program | undefined;
	try {
		const kept = new Map<Value, External>();
		if (value && result) kept.set(value, result.operand(recorder));
		program = await Program.compile(
			recorder,
			[],
			{
				device,
				weights,
				...(cache && {cache: cache.handle}),
				owner: 'ops',
				outputs: kept,
			},
			{maxRows: rows, maxOutputs: outputs, maxSequences: sequences, pagesPerSequence, threads: availableParallelism()},
		);
		await program.step(slots);
	} catch (error) {
		result?.dispose();
		throw error;
	} finally {
		program?.release();
	}
	return result;
}
