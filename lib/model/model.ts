import {type PagedSequence, type PageTable, pageTokens} from '../cache/index.js';
import {type ChatMessage, parseMessages} from '../chat/index.js';
import {ExlError} from '../errors/index.js';
import {type Emit, type GenerateResult, Generation, onAbort, Scheduler, type StartJob} from '../generator/index.js';
import {type DeviceChoice, Holding} from '../memory/index.js';
import type {NativeArray} from '../native/index.js';
import {type LoaderName, onlySignal, parseOptions, type SignalOptions} from '../options/index.js';
import {type GenerateOptions, parseGenerateOptions, type ResolvedGenerateOptions} from '../sampling/index.js';
import type {Tokenizer} from '../tokenizer/index.js';
import {type Diagnostics, diagnose, type LoadFacts} from './diagnostics.js';
import type {ModelEngine} from './engine.js';
import {GeneratorView, snapshotOf} from './generator-view.js';
import type {ModelFiles, PlacedModel} from './place.js';
import {ProgramSet} from './programs.js';
import {encodeChat, encodePrompt, type Prompt} from './prompt.js';
import {jobRequest} from './request.js';
import {type ScoreResult, scoreOf} from './score.js';
import {Vocabulary} from './vocabulary.js';
import {TokenWindow} from './window.js';

export type ModelParts = ModelFiles &
	PlacedModel & {
		/** `model#1` */
		readonly name: string;
		readonly engine: ModelEngine;
		readonly pages: PageTable;
		/** It was placed there. */
		readonly device: DeviceChoice;
		readonly facts: LoadFacts;
		/** All that is on the device, in the order it is released. */
		readonly held: readonly {release(): void}[];
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
	/** What its jobs, its queue and its cache are doing. */
	readonly generator: GeneratorView;

	readonly #parts: ModelParts;
	readonly #programs: ProgramSet;
	readonly #engine: ModelEngine;
	readonly #scheduler: Scheduler;
	readonly #texts: Vocabulary;
	readonly #holding: Holding;
	readonly #closing = new AbortController();
	/** Calls that have pages of their own. */
	readonly #borrowing = new Set<Promise<unknown>>();
	#disposed: Promise<void> | undefined;

	/** @internal Made by `loadModel()`. */
	constructor(parts: ModelParts) {
		this.#parts = parts;
		this.tokenizer = parts.tokenizer;
		this.architecture = parts.architecture;
		this.contextTokens = parts.configured.shape.contextTokens;
		this.cacheTokens = parts.facts.cacheTokens;
		this.loader = parts.loader;
		this.device = parts.place.device.kind;
		const {configured, scope, place} = parts;
		this.#programs = new ProgramSet(configured, scope, place);
		this.#engine = parts.engine;
		const scheduler = new Scheduler(this.#engine, parts.pages);
		this.#scheduler = scheduler;
		const {signal} = this.#closing;
		this.generator = new GeneratorView(async () => {
			signal.throwIfAborted();
			return snapshotOf(scheduler);
		});
		this.#texts = new Vocabulary(parts.tokenizer);
		const held = [this.#engine, this.#programs, this.#texts, ...parts.held];
		this.#holding = new Holding(this, 'Model', parts.name, place.device, held);
	}

	/**
	Continues a prompt. Nothing runs until the result is asked for. Jobs of one model run side by side, and share what
	their prompts have in common; each gives the text it would give alone.

	It never throws: what it was given is checked at once, and every error comes out of the stream, of `text()` and of
	`result`: `EXL_INVALID_ARGUMENT`, `EXL_CONTEXT_LENGTH` or `EXL_CACHE_FULL` for a prompt that is too long, `EXL_DISPOSED`.
	*/
	generate(prompt: Prompt, options?: GenerateOptions): Generation {
		return this.#generation('generate()', prompt, options);
	}

	/** `generate()`, waited for. */
	complete(prompt: Prompt, options?: GenerateOptions): Promise<GenerateResult> {
		return this.#generation('complete()', prompt, options).result;
	}

	/** @internal `generate()` of what was checked before. */
	continue(promptIds: readonly number[], options: ResolvedGenerateOptions): Generation {
		return new Generation(this.#job(async () => promptIds, options));
	}

	/** Answers a conversation, written out by the model's own chat template: without one `EXL_MODEL_UNSUPPORTED`. */
	chat(messages: readonly ChatMessage[], options?: GenerateOptions): Generation {
		return Generation.prepare(() => {
			this.#assertOpen();
			const resolved = parseGenerateOptions(options, 'chat()');
			// As they are now: the caller's list may grow before the job starts.
			const given = parseMessages(messages);
			const prompt = () =>
				encodeChat(
					this.#parts.templates,
					given,
					resolved.addBos,
					this.tokenizer,
					this.#parts.configured.shape.vocabulary,
				);
			return this.#job(prompt, resolved);
		});
	}

	/**
	Natural logarithm of the probability of each token after the first, given all before it.

	@param prompt Scored as one window; at most as long as the cache.
	*/
	async score(prompt: Prompt, options: SignalOptions = {}): Promise<ScoreResult> {
		this.#assertOpen();
		const {signal} = parseOptions(onlySignal, options, 'score()');
		const ids = this.#encode(prompt, {});
		if (ids.length < 2) throw new ExlError('EXL_INVALID_ARGUMENT', 'at least 2 tokens are needed for a score');
		return this.#borrow(ids, signal, async (window, ended) => {
			return scoreOf(await window.logProbs(await this.#programs.get('score'), ended));
		});
	}

	/** Logits of the token after `prompt`: `[vocabulary]`, in the type the device computes with. */
	async logits(prompt: Prompt, options: SignalOptions = {}): Promise<NativeArray> {
		this.#assertOpen();
		const {signal} = parseOptions(onlySignal, options, 'logits()');
		const ids = this.#encode(prompt, {});
		return this.#borrow(ids, signal, async (window, ended) => {
			const logits = await window.logits(await this.#programs.get('logits'), ended);
			return logits.subarray(0, this.#parts.configured.shape.vocabulary);
		});
	}

	/**
	What a report of a fault needs: versions, the machine, the device and why it was taken, memory, jobs. Plain data, for
	`JSON.stringify()`; it has no prompts and no texts. Cheap: nothing is computed.
	*/
	async diagnostics(): Promise<Diagnostics> {
		this.#assertOpen();
		const {name, directory, device, facts} = this.#parts;
		const {architecture, contextTokens} = this;
		const generator = await this.generator.snapshot();
		return diagnose({name, directory, architecture, contextTokens, ...facts, device, generator});
	}

	/** Ends what is running, waits for it, and gives everything back. May be called again. */
	async dispose(): Promise<void> {
		if (!(#disposed in this)) throw new ExlError('EXL_INVALID_ARGUMENT', 'dispose() was called on something else');
		this.#disposed ??= this.#close();
		await this.#disposed;
	}

	/** `dispose()`, for `await using`. */
	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	async #close(): Promise<void> {
		const reason = new ExlError('EXL_DISPOSED', `${this.#parts.name} was disposed`);
		this.#closing.abort(reason);
		await this.#scheduler.close(reason);
		await Promise.allSettled(this.#borrowing);
		await this.#holding.release();
	}

	#generation(what: string, prompt: Prompt, options: GenerateOptions | undefined): Generation {
		return Generation.prepare(() => {
			this.#assertOpen();
			const resolved = parseGenerateOptions(options, what);
			const ids = this.#encode(prompt, {addBos: resolved.addBos});
			return this.#job(async () => ids, resolved);
		});
	}

	#job(prompt: () => Promise<readonly number[]>, options: ResolvedGenerateOptions): StartJob {
		return async (left, emit) => {
			this.#closing.signal.throwIfAborted();
			options.signal?.throwIfAborted();
			return this.#run(await prompt(), options, left, emit);
		};
	}

	async #run(
		promptIds: readonly number[],
		options: ResolvedGenerateOptions,
		left: AbortSignal,
		emit: Emit | undefined,
	): Promise<GenerateResult> {
		this.#closing.signal.throwIfAborted();
		options.signal?.throwIfAborted();
		const {guidance, addBos} = options;
		const negativeIds = guidance && guidance.scale !== 1 ? this.#encode(guidance.negativePrompt, {addBos}) : undefined;
		this.#assertFits(promptIds, negativeIds);
		const {configured, tokenizer, stopIds} = this.#parts;
		const place = {
			tokenizer,
			stopIds,
			engine: this.#engine,
			texts: this.#texts,
			vocabulary: configured.shape.vocabulary,
			mostTokens: this.#mostTokens(negativeIds ? 2 : 1),
		};
		const job = this.#scheduler.start(jobRequest(promptIds, negativeIds, options, place, emit));
		const unlinks = [
			onAbort(options.signal, reason => this.#scheduler.abort(job, reason)),
			onAbort(left, () => this.#scheduler.leave(job)),
		];
		try {
			return await job.result;
		} finally {
			for (const unlink of unlinks) unlink();
		}
	}

	/** Runs `work` over pages of its own as soon as there are some, until one of the signals ends it. */
	#borrow<T>(
		ids: readonly number[],
		userSignal: AbortSignal | undefined,
		work: (window: TokenWindow, ended: AbortSignal) => Promise<T>,
	): Promise<T> {
		const run = async () => {
			this.#assertFits(ids);
			const ended = new AbortController();
			const abort = (reason: unknown) => ended.abort(reason);
			const unlinks = [onAbort(this.#closing.signal, abort), onAbort(userSignal, abort)];
			const {pagesPerSequence} = this.#engine;
			try {
				return await this.#scheduler.borrow(ids.length, ended.signal, (sequence: PagedSequence) =>
					work(new TokenWindow(ids, sequence, pagesPerSequence), ended.signal),
				);
			} finally {
				for (const unlink of unlinks) unlink();
			}
		};
		const running = run();
		this.#borrowing.add(running);
		const forget = () => this.#borrowing.delete(running);
		running.then(forget, forget);
		return running;
	}

	#encode(prompt: Prompt, options: {addBos?: boolean | undefined}): readonly number[] {
		return encodePrompt(prompt, options, this.tokenizer, this.#parts.configured.shape.vocabulary);
	}

	/** Tokens each of so many sequences may have side by side. */
	#mostTokens(sequences: number): number {
		if (sequences === 1) return Math.min(this.contextTokens, this.cacheTokens);
		const pages = Math.floor(this.#parts.pages.pageCount / sequences);
		return Math.min(this.contextTokens, pages * pageTokens);
	}

	#assertFits(ids: readonly number[], others?: readonly number[]): void {
		const length = Math.max(ids.length, others?.length ?? 0);
		if (length > this.contextTokens) {
			const message = `the prompt has ${length} tokens, the model was made for ${this.contextTokens}; shorten it`;
			throw new ExlError('EXL_CONTEXT_LENGTH', message);
		}
		const room = this.#mostTokens(others ? 2 : 1);
		if (length > room) {
			const needed = others ? `${length} tokens twice, for guidance` : `${length} tokens`;
			const message = `the prompt has ${needed}, the cache holds ${this.cacheTokens}; load the model with cache.tokens of at least ${length * (others ? 2 : 1)}`;
			throw new ExlError('EXL_CACHE_FULL', message);
		}
	}

	#assertOpen(): void {
		if (this.#disposed) throw new ExlError('EXL_DISPOSED', `${this.#parts.name} was used after dispose()`);
	}
}
