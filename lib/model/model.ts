import {randomInt} from 'node:crypto';
import type {ContiguousPages} from '../cache/index.js';
import {type ChatMessage, ChatTemplate} from '../chat/index.js';
import {ExlError} from '../errors/index.js';
import {abortable, type Chunk, firstOf, type GenerateResult, Generation, runJob, Turns} from '../generator/index.js';
import {Holding} from '../memory/index.js';
import type {ConfiguredModel, WeightScope} from '../models/index.js';
import type {NativeArray} from '../native/index.js';
import type {LoaderName} from '../options/index.js';
import type {Program} from '../program/index.js';
import {type GenerateOptions, parseGenerateOptions, type ResolvedGenerateOptions} from '../sampling/index.js';
import {DetokenizerStream, type Tokenizer} from '../tokenizer/index.js';
import {type ProgramPlace, ProgramSet} from './programs.js';
import {encodePrompt, type Prompt} from './prompt.js';
import {samplerSettings} from './sampler.js';
import {type ScoreResult, score} from './score.js';
import {ModelSequence} from './sequence.js';

export type ModelParts = {
	readonly name: string;
	readonly directory: string;
	readonly architecture: string;
	readonly configured: ConfiguredModel;
	readonly scope: WeightScope;
	readonly tokenizer: Tokenizer;
	readonly place: ProgramPlace;
	readonly pages: ContiguousPages;
	/** Compiled for sampling. */
	readonly program: Program;
	readonly stopIds: ReadonlySet<number>;
	readonly cacheTokens: number;
	readonly loader: LoaderName;
};

/** A loaded model. Dispose of it when it is no longer needed: its memory goes back at once. */
export class Model {
	/** Text to token ids and back. */
	readonly tokenizer: Tokenizer;
	/** `LlamaForCausalLM` */
	readonly architecture: string;
	/** Tokens the model was made for. */
	readonly contextTokens: number;
	/** Tokens its cache holds. */
	readonly cacheTokens: number;
	/** How its weights were read: `buffered` instead of `direct` if the file system refused. */
	readonly loader: LoaderName;
	/** The device it runs on. */
	readonly device: string;

	readonly #parts: ModelParts;
	readonly #programs: ProgramSet;
	readonly #holding: Holding;
	readonly #turns = new Turns();
	readonly #closing = new AbortController();
	readonly #running = new Set<Promise<unknown>>();
	#chatTemplate: Promise<ChatTemplate> | undefined;
	#disposed: Promise<void> | undefined;

	/** @internal Made by `loadModel()`. */
	constructor(parts: ModelParts) {
		this.#parts = parts;
		this.tokenizer = parts.tokenizer;
		this.architecture = parts.architecture;
		this.contextTokens = parts.configured.shape.contextTokens;
		this.cacheTokens = parts.cacheTokens;
		this.loader = parts.loader;
		this.device = parts.place.device.kind;
		const {configured, scope, place, program} = parts;
		this.#programs = new ProgramSet(configured, scope, place, program);
		this.#holding = new Holding(this, 'Model', parts.name, place.device, [this.#programs, place.cache, place.weights]);
	}

	/**
	Continues a prompt. Nothing runs until the result is asked for; jobs of one model run one after another.

	@throws {ExlError} `EXL_INVALID_ARGUMENT` at once; when the job starts `EXL_CONTEXT_LENGTH` or `EXL_CACHE_FULL` for
	a prompt that is too long, `EXL_DISPOSED`.
	*/
	generate(prompt: Prompt, options?: GenerateOptions): Generation {
		this.#assertOpen();
		const resolved = parseGenerateOptions(options);
		const promptIds = this.#encode(prompt, {addBos: resolved.addBos});
		return this.#start(async () => promptIds, resolved);
	}

	/** `generate()`, waited for. */
	async complete(prompt: Prompt, options?: GenerateOptions): Promise<GenerateResult> {
		return this.generate(prompt, options).result;
	}

	/**
	Answers a conversation, written out by the model's own chat template.

	@throws {ExlError} `EXL_MODEL_UNSUPPORTED`, when the job starts, if the model has no template.
	*/
	chat(messages: readonly ChatMessage[], options?: GenerateOptions): Generation {
		this.#assertOpen();
		const resolved = parseGenerateOptions(options);
		return this.#start(async () => {
			this.#chatTemplate ??= ChatTemplate.load(this.#parts.directory);
			const text = (await this.#chatTemplate).render(messages);
			return this.#encode(text, {addBos: resolved.addBos, encodeSpecial: true});
		}, resolved);
	}

	/**
	Natural logarithm of the probability of each token after the first, given all before it.

	@param prompt Scored as one window; at most as long as the cache.
	*/
	async score(prompt: Prompt, {signal}: {signal?: AbortSignal} = {}): Promise<ScoreResult> {
		this.#assertOpen();
		const ids = this.#encode(prompt, {});
		if (ids.length < 2) throw new ExlError('EXL_INVALID_ARGUMENT', 'at least 2 tokens are needed for a score');
		return this.#exclusive(
			async (sequence, ended) => score(await this.#programs.get('score'), sequence, ids, ended),
			ids,
			signal,
		);
	}

	/** Logits of the token after `prompt`: `[vocabulary]`, in the type the device computes with. */
	async logits(prompt: Prompt, {signal}: {signal?: AbortSignal} = {}): Promise<NativeArray> {
		this.#assertOpen();
		const ids = this.#encode(prompt, {});
		return this.#exclusive(
			async (sequence, ended) => {
				const program = await this.#programs.get('logits');
				const logits = await sequence.logits(program, ids, ended);
				return logits.subarray(0, this.#parts.configured.shape.vocabulary);
			},
			ids,
			signal,
		);
	}

	/** Ends what is running, waits for it, and gives everything back. May be called again. */
	async dispose(): Promise<void> {
		if (!(#disposed in this)) throw new ExlError('EXL_INVALID_ARGUMENT', 'dispose() was called on something else');
		this.#disposed ??= this.#close();
		await this.#disposed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	async #close(): Promise<void> {
		this.#closing.abort(new ExlError('EXL_DISPOSED', `${this.#parts.name} was disposed`));
		await Promise.allSettled(this.#running);
		await this.#holding.release();
	}

	#start(prompt: () => Promise<readonly number[]>, options: ResolvedGenerateOptions): Generation {
		return new Generation(async (emit, left) => {
			const promptIds = await prompt();
			const job = (sequence: ModelSequence, ended: AbortSignal) =>
				this.#run(promptIds, options, sequence, emit, ended, left);
			return this.#exclusive(job, promptIds, options.signal);
		});
	}

	async #run(
		promptIds: readonly number[],
		options: ResolvedGenerateOptions,
		sequence: ModelSequence,
		emit: (chunk: Chunk) => Promise<void> | undefined,
		signal: AbortSignal,
		left: AbortSignal,
	): Promise<GenerateResult> {
		const seed = options.seed ?? randomInt(2 ** 47);
		const stopIds = new Set([...this.#parts.stopIds, ...options.stop.ids]);
		const {vocabulary} = this.#parts.configured.shape;
		const {tokenizer} = this;
		sequence.sampleWith(samplerSettings(options, {seed, stopIds, vocabulary, tokenizer}), promptIds);
		const room = Math.min(this.contextTokens, this.cacheTokens) - promptIds.length + 1;
		const request = {
			promptIds,
			maxTokens: Math.min(options.maxTokens ?? Number.POSITIVE_INFINITY, room),
			stopIds,
			stopStrings: options.stop.strings,
			signal,
			left,
		};
		const job = runJob(request, sequence, new DetokenizerStream(this.tokenizer, {context: promptIds}));
		let text = '';
		for (;;) {
			const {value, done} = await job.next();
			const given = {text, promptTokens: promptIds.length, cachedTokens: 0, seed};
			if (done) return {...given, ...value, completionTokens: value.tokenIds.length};
			text += value.text;
			// A reader that has stopped reading must not keep the model from being disposed of.
			const room = emit(value);
			if (room) await abortable(room, signal);
		}
	}

	/** Waits for the cache, then runs `work` with it until one of the signals ends it. */
	#exclusive<T>(
		work: (sequence: ModelSequence, ended: AbortSignal) => Promise<T>,
		ids: readonly number[],
		userSignal?: AbortSignal,
	): Promise<T> {
		const run = async () => {
			const {signal, unlink} = firstOf(this.#closing.signal, userSignal);
			try {
				this.#assertFits(ids);
				const pass = await this.#turns.wait(signal);
				const pages = this.#parts.pages.acquire()!;
				const sequence = new ModelSequence(this.#parts.program, pages);
				try {
					return await work(sequence, signal);
				} finally {
					sequence.release();
					pass();
				}
			} finally {
				unlink();
			}
		};
		const running = run();
		this.#running.add(running);
		const forget = () => this.#running.delete(running);
		running.then(forget, forget);
		return running;
	}

	#encode(prompt: Prompt, options: {addBos?: boolean | undefined; encodeSpecial?: boolean}): readonly number[] {
		return encodePrompt(prompt, options, this.tokenizer, this.#parts.configured.shape.vocabulary);
	}

	#assertFits(ids: readonly number[]): void {
		const {length} = ids;
		if (length > this.contextTokens) {
			const message = `the prompt has ${length} tokens, the model was made for ${this.contextTokens}; shorten it`;
			throw new ExlError('EXL_CONTEXT_LENGTH', message);
		}
		if (length > this.cacheTokens) {
			const message = `the prompt has ${length} tokens, the cache holds ${this.cacheTokens}; load the model with cache.tokens of at least ${length}`;
			throw new ExlError('EXL_CACHE_FULL', message);
		}
	}

	#assertOpen(): void {
		if (this.#disposed) throw new ExlError('EXL_DISPOSED', `${this.#parts.name} was used after dispose()`);
	}
}
