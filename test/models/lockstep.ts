/**
Runs one recorded program on `reference` and on `cpu`, op by op. After each op the results are compared, and those of
`cpu` are replaced by the exact ones, so that every op is judged by its own error.
*/

import {pageTokens} from '../../lib/cache/index.js';
import {Device, type DeviceKind, Handle} from '../../lib/memory/index.js';
import {recordModel} from '../../lib/model/programs.js';
import {findArchitecture, WeightScope} from '../../lib/models/index.js';
import {addon, type Slots} from '../../lib/native/index.js';
import {
	CacheLayer,
	Program,
	type RecordedOp,
	Value,
	type Weight,
	WeightStore,
	weightsOf,
} from '../../lib/program/index.js';
import {openWeights, readModelConfig} from '../../lib/weights/index.js';
import {type TinyModel, writeTinyModel} from '../support/tiny-model.js';
import * as tolerance from './tolerance.js';

export type LockstepOptions = {
	readonly ids: readonly number[];
	/** Tokens of each step; they sum to the length of `ids`. */
	readonly steps: readonly number[];
	/** What follows the logits: probabilities of the next tokens for every row, or a draw after the last. @default 'score' */
	readonly purpose?: 'score' | 'sample';
	readonly threads?: number;
};

export type LockstepReport = {
	/** Calls of each op. */
	readonly calls: ReadonlyMap<string, number>;
	/** The largest error of each op, as a fraction of what is tolerated. */
	readonly worst: ReadonlyMap<string, number>;
};

/** @throws {Error} naming the first op that differs, where, and by how much. */
export async function lockstep(model: TinyModel, options: LockstepOptions): Promise<LockstepReport> {
	const {ids, steps, purpose = 'score', threads = 2} = options;
	const directory = await writeTinyModel(model);
	const {config, gptq} = await readModelConfig(directory);
	const configured = findArchitecture(config).architecture.configure(config);
	const scope = new WeightScope(await openWeights(directory), gptq);
	const pageCount = Math.ceil(ids.length / pageTokens);
	const batch = {sequences: 1, pagesPerSequence: pageCount};
	const {recorder, result} = recordModel(configured, scope, purpose, batch);

	const {layers, keyHeads, headDim: dim} = configured.shape;
	const open = async (kind: DeviceKind): Promise<Place> => {
		const device = Device.acquire(kind);
		const weights = new WeightStore(device, 'lockstep');
		await weights.load(weightsOf(recorder));
		const size = {layers, keyHeads, dim, pages: pageCount};
		const cache = new Handle(addon().createCache(device.id, size, 'lockstep'), 'cache');
		const most = Math.max(...steps);
		const limits = {
			maxRows: most,
			maxOutputs: most,
			maxSequences: 1,
			pagesPerSequence: pageCount,
			threads,
			lowered: false,
		};
		const at = {device, weights, cache: cache.id, owner: 'lockstep'};
		const program = await Program.compile(recorder, [result], at, limits);
		const settings = {temperature: 0.8, topK: 20, topP: 0.9, minP: 0.01, repetitionPenalty: 1.1, seed: 3};
		const sampler = new Handle(addon().createSampler(settings), 'sampler');
		const close = async () => {
			for (const handle of [program, sampler, cache, weights]) handle.release();
			await device.release();
		};
		return {program, sampler: sampler.id, close};
	};

	const places = [await open('reference'), await open('cpu')] as const;
	try {
		return await new Runner(model, places).run(
			{ids, steps, purpose},
			Int32Array.from({length: pageCount}, (_, i) => i),
		);
	} finally {
		for (const place of places) await place.close();
	}
}

type Place = {readonly program: Program; readonly sampler: number; close(): Promise<void>};

class Runner {
	readonly #model: TinyModel;
	readonly #exact: Place;
	readonly #tested: Place;
	readonly #cache = new Map<number, tolerance.CachedLayer>();
	readonly #calls = new Map<string, number>();
	readonly #worst = new Map<string, number>();
	#positions = new Int32Array(0);

	constructor(model: TinyModel, [exact, tested]: readonly [Place, Place]) {
		this.#model = model;
		this.#exact = exact;
		this.#tested = tested;
	}

	async run({ids, steps, purpose}: LockstepOptions, pages: Int32Array): Promise<LockstepReport> {
		let at = 0;
		for (const count of steps) {
			const tokens = Int32Array.from(ids.slice(at, at + count));
			this.#positions = tokens.map((_, i) => at + i);
			const common = {tokens, positions: this.#positions, sequences: new Int32Array(count), pages};
			for (const {program, sampler} of [this.#exact, this.#tested]) {
				const drawn = {outputs: Int32Array.of(count - 1), samplers: Int32Array.of(sampler)};
				const scored = {
					outputs: tokens.map((_, i) => i),
					targets: tokens.map((_, i) => ids[(at + i + 1) % ids.length]!),
				};
				const slots: Slots = {...common, ...(purpose === 'sample' ? drawn : scored)};
				await program.setSlots(slots);
			}
			for (const index of this.#exact.program.ops.keys()) await this.#runOp(index);
			at += count;
		}
		return {calls: this.#calls, worst: this.#worst};
	}

	async #runOp(index: number): Promise<void> {
		const exact = this.#exact.program;
		const tested = this.#tested.program;
		const op = exact.ops[index]!;
		this.#calls.set(op.op, (this.#calls.get(op.op) ?? 0) + 1);
		const inputs = await Promise.all(op.inputs.map(input => (input instanceof Value ? exact.read(input) : undefined)));
		await exact.runOp(index);
		await tested.runOp(index);
		if (op.op === 'cache_write') this.#remember(op, inputs as Float64Array[]);

		for (const output of op.outputs) {
			const result = await exact.read(output);
			const {values, tolerance} = this.#expect(op, inputs as Float64Array[], result);
			this.#compare(index, op, await tested.read(output), values, tolerance);
			await tested.write(output, Float64Array.from(result));
		}
	}

	#compare(
		index: number,
		{op, path, outputs}: RecordedOp,
		found: ArrayLike<number>,
		expected: ArrayLike<number>,
		tolerated: Float64Array,
	): void {
		const where = `op ${index}, ${op} ${path} [${outputs[0]!.shape}] at positions from ${this.#positions[0]}`;
		if (found.length !== expected.length) {
			throw new Error(`${where}: cpu has ${found.length} elements, reference ${expected.length}`);
		}
		for (let i = 0; i < found.length; i++) {
			const error = Math.abs(found[i]! - expected[i]!);
			if (!(error <= tolerated[i]!)) {
				const numbers = `cpu ${found[i]}, expected ${expected[i]}, off by ${error}, tolerated ${tolerated[i]}`;
				throw new Error(`${where}: element ${i}: ${numbers}`);
			}
			const part = error === 0 ? 0 : error / tolerated[i]!;
			this.#worst.set(op, Math.max(this.#worst.get(op) ?? 0, part));
		}
	}

	#expect(op: RecordedOp, inputs: readonly Float64Array[], result: ArrayLike<number>): tolerance.Expected {
		const exactly = (tolerated: Float64Array) => ({values: result, tolerance: tolerated});
		const [first, second] = inputs as [Float64Array, Float64Array];
		const shape = op.inputs[0]!.shape as number[];
		switch (op.op) {
			case 'embed':
			case 'sample':
				return exactly(new Float64Array(result.length));
			case 'gather_rows':
				return exactly(tolerance.copied(result));
			case 'add':
				return exactly(tolerance.added(first, second));
			case 'silu_mul':
				return exactly(tolerance.silu(first, result));
			case 'rms_norm':
				return exactly(tolerance.normed(result, shape.at(-1)!));
			case 'layer_norm': {
				const {path} = op.inputs[1] as Weight;
				const [weight, bias] = ['weight', 'bias'].map(part => this.#model.vectors.get(`${path}.${part}`)!);
				return exactly(tolerance.centred(first, weight!, bias!, op.attributes['eps']!));
			}
			case 'rope_angles':
				return exactly(new Float64Array(result.length).fill(2 ** -24 * op.attributes['scale']!));
			case 'rope': {
				const pairs = (op.inputs[1]!.shape as number[])[1]!;
				const scale = Math.hypot(second[0]!, second[1]!);
				return exactly(tolerance.rotated(first, shape[2]!, pairs, scale));
			}
			case 'token_log_prob':
				return exactly(tolerance.logProb(first, result.length, op.attributes['vocabulary']!));
			case 'linear': {
				const {path} = op.inputs[1] as Weight;
				const quantised = !this.#model.tensors.has(`${path}.weight`);
				return exactly(tolerance.product(first, this.#model.matrices.get(path)!, quantised, result));
			}
			case 'attention': {
				const {layer, shape: keys} = op.inputs[1] as CacheLayer;
				const [heads, dim, keyHeads] = [shape[1]!, shape[2]!, keys[0] as number];
				const {scale, window} = op.attributes as {scale: number; window: number};
				const call = {q: first, positions: this.#positions, heads, keyHeads, dim, scale, window};
				return tolerance.overHalves(call, this.#cache.get(layer)!);
			}
			default:
				throw new Error(`no tolerance is known for ${op.op}`);
		}
	}

	/** What the caches hold, to the last bit. */
	#remember(op: RecordedOp, [k, v]: readonly Float64Array[]): void {
		const {layer} = op.inputs.find(input => input instanceof CacheLayer)!;
		const cached = this.#cache.get(layer) ?? {keys: [], values: []};
		this.#cache.set(layer, cached);
		const width = k!.length / this.#positions.length;
		for (const [r, position] of this.#positions.entries()) {
			cached.keys[position] = k!.slice(r * width, (r + 1) * width);
			cached.values[position] = v!.slice(r * width, (r + 1) * width);
		}
	}
}
