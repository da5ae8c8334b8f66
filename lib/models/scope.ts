import {ExlError} from '../errors/index.js';
import {plainSource} from '../native/index.js';
import {Weight} from '../program/index.js';
import {
	embeddingSource,
	type GptqOptions,
	linearFormat,
	linearSource,
	vectorSource,
	type WeightFiles,
} from '../weights/index.js';
import type {ModelShape} from './architecture.js';
import {refuseLeftOvers, refuseMissingLayers} from './leftovers.js';

/** A linear layer as `linear()` takes it. */
export type Linear = {
	readonly weight: Weight;
	readonly bias?: Weight;
	/** Columns that mean something; an EXL2 head may have up to 31 more. */
	readonly outFeatures: number;
};

/** The weights of a model by name, relative to a place in it: `w.scope('model.layers.0').linear('mlp.up_proj', ...)`. */
export class WeightScope {
	readonly #files: WeightFiles;
	readonly #gptq: GptqOptions;
	readonly #path: string;
	/** Linear layers and tensors that were asked for, from here or elsewhere in the model. */
	readonly #read: Set<string>;

	constructor(files: WeightFiles, gptq: GptqOptions, path = '', read: Set<string> = new Set()) {
		this.#files = files;
		this.#gptq = gptq;
		this.#path = path;
		this.#read = read;
	}

	scope(name: string): WeightScope {
		return new WeightScope(this.#files, this.#gptq, this.#name(name), this.#read);
	}

	/**
	What `record` makes of the weights of a model, all of which it has to ask for.

	@throws {ExlError} `EXL_MODEL_INVALID` if the files have fewer layers than `shape`, or tensors that nothing reads.
	*/
	whole<T>(shape: ModelShape, record: () => T): T {
		refuseMissingLayers(this.#files, shape);
		const result = record();
		refuseLeftOvers(this.#files, this.#read, shape);
		return result;
	}

	/** Whether the model has this linear layer or tensor, in any format. */
	has(name: string): boolean {
		return linearFormat(this.#files, this.#name(name)) !== undefined;
	}

	/**
	The linear layer `name` with the bias the file has for it, if any.

	@param bias Whether the architecture requires one.
	@throws {ExlError} `EXL_MODEL_INVALID` if a required bias is missing.
	*/
	linear(name: string, inFeatures: number, outFeatures: number, {bias = false} = {}): Linear {
		const key = this.#name(name);
		this.#read.add(key);
		const hasBias = this.#files.has(`${key}.bias`);
		if (bias && !hasBias) {
			throw new ExlError('EXL_MODEL_INVALID', `the model has no tensor ${key}.bias, which its architecture requires`, {
				op: key,
			});
		}
		const source = once(() => linearSource(this.#files, key, {inFeatures, outFeatures, gptq: this.#gptq}));
		const width = this.#storedWidth(key, outFeatures);
		return {
			weight: new Weight(key, [width, inFeatures], async () => (await source()).weight),
			...(hasBias && {bias: new Weight(`${key}.bias`, [width], async () => (await source()).bias)}),
			outFeatures,
		};
	}

	/** A norm: `[size]`, or `[heads, size]` as EXL2 writes those of heads. */
	norm(name: string, size: number, heads?: number): Weight {
		const key = this.#name(name);
		const shapes = heads === undefined ? [[size]] : [[size], [heads, size]];
		this.#read.add(`${key}.weight`);
		const source = vectorSource(this.#files, `${key}.weight`, ...shapes);
		return new Weight(key, source.shape, async () => source);
	}

	/** A layer norm: `[size]` each. */
	layerNorm(name: string, size: number): {readonly weight: Weight; readonly bias: Weight} {
		const key = `${this.#name(name)}.bias`;
		this.#read.add(key);
		const source = vectorSource(this.#files, key, [size]);
		return {weight: this.norm(name, size), bias: new Weight(key, [size], async () => source)};
	}

	/** The token embedding `[vocabulary, hidden]`. A tied model may store it under the name of its head only. */
	embedding(name: string, vocabulary: number, hidden: number, {tied}: {tied: boolean}): Weight {
		const key = tied && !this.has(name) ? 'lm_head' : name;
		this.#read.add(`${this.#name(key)}.weight`);
		const source = embeddingSource(this.#files, this.#name(key), vocabulary, hidden);
		return new Weight(this.#name(name), [vocabulary, hidden], async () => source);
	}

	/**
	The output layer: `lm_head`, or the embedding if the model is tied and has no head of its own.

	@throws {ExlError} `EXL_MODEL_INVALID` if there is neither.
	*/
	head(embedding: Weight, vocabulary: number, hidden: number, {tied}: {tied: boolean}): Linear {
		const shared = {weight: embedding, outFeatures: vocabulary};
		if (!this.has('lm_head')) {
			if (tied) return shared;
			throw new ExlError('EXL_MODEL_INVALID', 'the model has no lm_head, and tie_word_embeddings is not set', {
				op: 'lm_head',
			});
		}
		if (!tied || !this.#isOneTensor('lm_head.weight', `${embedding.path}.weight`)) {
			return this.linear('lm_head', hidden, vocabulary);
		}
		this.#read.add('lm_head.weight');
		return shared;
	}

	/** Numbers computed from the configuration, such as rotary frequencies. */
	constant(name: string, values: Float32Array): Weight {
		const source = plainSource({dtype: 'F32', shape: [values.length], data: new Uint8Array(values.buffer)});
		return new Weight(this.#name(name), [values.length], async () => source);
	}

	#name(name: string): string {
		return this.#path ? `${this.#path}.${name}` : name;
	}

	/** A tied model may write its only tensor under either name, or under both. */
	#isOneTensor(head: string, table: string): boolean {
		const files = this.#files;
		return files.has(head) && (!files.has(table) || files.entry(head) === files.entry(table));
	}

	/** EXL2 pads a weight to a multiple of 32 columns before it is quantised. `linearSource` checks the rest. */
	#storedWidth(key: string, outFeatures: number): number {
		if (linearFormat(this.#files, key) !== 'exl2') return outFeatures;
		const stored = this.#files.entry(`${key}.q_weight`).shape[1] ?? outFeatures;
		return stored > outFeatures && stored - outFeatures < 32 ? stored : outFeatures;
	}
}

function once<T>(get: () => Promise<T>): () => Promise<T> {
	let result: Promise<T> | undefined;
	return () => {
		result ??= get();
		return result;
	};
}
