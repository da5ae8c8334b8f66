import type {Step, StepEngine, StepReply} from '../generator/index.js';
import {type Device, Handle} from '../memory/index.js';
import {addon, type SamplerSettings} from '../native/index.js';
import type {Program, ProgramLimits} from '../program/index.js';
import type {DraftModel} from './draft.js';

/** What runs the steps of the generator: the program that samples, over the cache it was compiled for. */
export class ModelEngine implements StepEngine {
	readonly maxRows: number;
	readonly maxOutputs: number;
	readonly maxSequences: number;
	readonly pagesPerSequence: number;

	readonly #device: Device;
	readonly #program: Program;
	readonly #cache: Handle;
	readonly #samplers = new Set<Handle>();
	/** Guesses tokens, if one was loaded. */
	readonly draft: DraftModel | undefined;

	/** @param program Compiled for sampling, within `limits`. */
	constructor(device: Device, program: Program, cache: Handle, limits: ProgramLimits, draft?: DraftModel) {
		this.#device = device;
		this.#program = program;
		this.#cache = cache;
		this.draft = draft;
		this.maxRows = limits.maxRows;
		this.maxOutputs = limits.maxOutputs;
		this.maxSequences = limits.maxSequences;
		this.pagesPerSequence = limits.pagesPerSequence;
	}

	async run(step: Step): Promise<StepReply> {
		const [{results, observations}] = await Promise.all([this.#program.run(step), this.draft?.follow(step)]);
		return {ids: results[0] as Int32Array, ...(observations && {observations})};
	}

	async copyPages(from: Int32Array, to: Int32Array): Promise<void> {
		await Promise.all([this.draft?.copyPages(from, to), this.#copyPages(from, to)]);
	}

	#copyPages(from: Int32Array, to: Int32Array): Promise<void> {
		return addon().copyPages(this.#device.id, this.#cache.id, from, to);
	}

	rewind(sampler: number, draws: number, banned: Int32Array): Promise<void> {
		return addon().rewindSampler(this.#device.id, sampler, draws, banned);
	}

	draw(sampler: number, logits: Float32Array): number {
		return addon().samplerDraw(sampler, logits, 1)[0]!;
	}

	/** @param history What the penalties see before the first draw. */
	createSampler(settings: SamplerSettings, history: readonly number[]): {readonly id: number; release(): void} {
		const handle = new Handle(addon().createSampler(settings), 'the sampler');
		addon().feedSampler(handle.id, Int32Array.from(history));
		this.#samplers.add(handle);
		const release = () => {
			this.#samplers.delete(handle);
			handle.release();
		};
		return {id: handle.id, release};
	}

	/** Gives back the samplers of jobs that nobody ended. */
	release(): void {
		this.draft?.release();
		for (const handle of this.#samplers) handle.release();
		this.#samplers.clear();
	}
}
