import type {Step, StepEngine} from './engine.js';
import type {Job, Strand} from './job.js';

/** What one job has in a step. */
export type Share = {
	readonly job: Job;
	/** The job's when the step was planned: what came before a rewind no longer counts. */
	readonly epoch: number;
	/** Tokens of each strand whose keys and values are there after the step. */
	readonly computed: readonly number[];
	/** Index of its first output. */
	readonly output: number;
	/** Places whose next token is wanted; 0 in the middle of a prompt. */
	readonly places: number;
};

export type Batch = {
	readonly step: Step;
	readonly shares: readonly Share[];
	/** Rows of jobs that stream, and rows of prompts. */
	readonly streams: number;
	readonly promptRows: number;
};

/** Tokens of one strand that join a step. */
export type Run = {readonly strand: Strand; readonly from: number; readonly tokens: readonly number[]};

/** Gathers the rows of one step, in memory that is used again for the next. */
export class BatchBuilder {
	readonly #engine: StepEngine;
	readonly #tokens: Int32Array;
	readonly #positions: Int32Array;
	readonly #sequences: Int32Array;
	readonly #outputs: Int32Array;
	readonly #samplers: Int32Array;
	/** Every row of the page table; those in use are written for each step. */
	readonly #pages: Int32Array;
	#rows = 0;
	#outputCount = 0;
	#shares: Share[] = [];
	#streams = 0;
	#promptRows = 0;

	constructor(engine: StepEngine) {
		this.#engine = engine;
		const {maxRows, maxOutputs, maxSequences, pagesPerSequence} = engine;
		this.#tokens = new Int32Array(maxRows);
		this.#positions = new Int32Array(maxRows);
		this.#sequences = new Int32Array(maxRows);
		this.#outputs = new Int32Array(maxOutputs);
		this.#samplers = new Int32Array(maxOutputs);
		this.#pages = new Int32Array(maxSequences * pagesPerSequence);
	}

	get rowsLeft(): number {
		return this.#engine.maxRows - this.#rows;
	}

	get outputsLeft(): number {
		return this.#engine.maxOutputs - this.#outputCount;
	}

	/** @param places How many of the last tokens of each run are places whose next token is wanted. */
	add(job: Job, runs: readonly Run[], places: number, streams: boolean): void {
		const output = this.#outputCount;
		const ends = runs.map(run => this.#addRun(run));
		for (let place = places; place > 0; place--) {
			for (const end of ends) {
				this.#outputs[this.#outputCount] = end - place;
				this.#samplers[this.#outputCount++] = job.sampler;
			}
		}
		const rows = runs.reduce((sum, {tokens}) => sum + tokens.length, 0);
		if (streams) this.#streams += rows;
		else this.#promptRows += rows;
		for (const {strand, from, tokens} of runs) strand.planned = from + tokens.length;
		const computed = job.strands.map(({planned}) => planned);
		this.#shares.push({job, epoch: job.epoch, computed, output, places});
		job.inFlight++;
	}

	#addRun({strand, from, tokens}: Run): number {
		for (const [i, token] of tokens.entries()) {
			this.#tokens[this.#rows] = token;
			this.#positions[this.#rows] = from + i;
			this.#sequences[this.#rows++] = strand.row;
		}
		strand.sequence!.writeRow(this.#pages, strand.row * this.#engine.pagesPerSequence);
		return this.#rows;
	}

	/** The step, until the next one is begun; nothing if there is nothing to do. */
	take(): Batch | undefined {
		const [rows, outputs] = [this.#rows, this.#outputCount];
		const step = {
			tokens: this.#tokens.subarray(0, rows),
			positions: this.#positions.subarray(0, rows),
			sequences: this.#sequences.subarray(0, rows),
			pages: this.#pages,
			outputs: this.#outputs.subarray(0, outputs),
			samplers: this.#samplers.subarray(0, outputs),
		};
		const batch = {step, shares: this.#shares, streams: this.#streams, promptRows: this.#promptRows};
		this.#rows = this.#outputCount = this.#streams = this.#promptRows = 0;
		this.#shares = [];
		return rows > 0 ? batch : undefined;
	}
}
