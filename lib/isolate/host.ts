import {type ChatMessage, parseMessages, type TemplateReader} from '../chat/index.js';
import {ExlError} from '../errors/index.js';
import {type GenerateResult, Generation, type StartJob} from '../generator/index.js';
import {
	type Diagnostics,
	encodeChat,
	encodePrompt,
	GeneratorView,
	type Prompt,
	type ScoreResult,
} from '../model/index.js';
import type {NativeArray} from '../native/index.js';
import {type LoaderName, onlySignal, parseOptions, type SignalOptions} from '../options/index.js';
import {type GenerateOptions, parseGenerateOptions, type ResolvedGenerateOptions} from '../sampling/index.js';
import type {Tokenizer} from '../tokenizer/index.js';
import type {Model} from './model.js';
import type {ModelProcess} from './process.js';
import type {ModelFacts} from './protocol.js';

export type RemoteParts = {
	readonly process: ModelProcess;
	readonly templates: TemplateReader;
	readonly tokenizer: Tokenizer;
	readonly vocabulary: number;
	readonly facts: ModelFacts;
};

/** A model in a process of its own. Text becomes tokens here, so what is wrong with a prompt is told at once. */
export class RemoteModel implements Model {
	readonly tokenizer: Tokenizer;
	readonly architecture: string;
	readonly contextTokens: number;
	readonly cacheTokens: number;
	readonly loader: LoaderName;
	readonly device: string;
	readonly generator: GeneratorView;

	readonly #parts: RemoteParts;
	#disposed: Promise<void> | undefined;

	constructor(parts: RemoteParts) {
		this.#parts = parts;
		this.tokenizer = parts.tokenizer;
		this.architecture = parts.facts.architecture;
		this.contextTokens = parts.facts.contextTokens;
		this.cacheTokens = parts.facts.cacheTokens;
		this.loader = parts.facts.loader;
		this.device = parts.facts.device;
		const {process} = parts;
		this.generator = new GeneratorView(() => process.call({method: 'snapshot'})[0]);
		parts.process.watchOver(this, parts.facts.bytes);
	}

	generate(prompt: Prompt, options?: GenerateOptions): Generation {
		return this.#generation('generate()', prompt, options);
	}

	complete(prompt: Prompt, options?: GenerateOptions): Promise<GenerateResult> {
		return this.#generation('complete()', prompt, options).result;
	}

	chat(messages: readonly ChatMessage[], options?: GenerateOptions): Generation {
		return Generation.prepare(() => {
			this.#assertOpen();
			const resolved = parseGenerateOptions(options, 'chat()');
			// As they are now: the caller's list may grow before the job starts.
			const given = parseMessages(messages);
			const prompt = () =>
				encodeChat(this.#parts.templates, given, resolved.addBos, this.tokenizer, this.#parts.vocabulary);
			return this.#job(prompt, resolved);
		});
	}

	score(prompt: Prompt, options: SignalOptions = {}): Promise<ScoreResult> {
		return quietly(async () => {
			this.#assertOpen();
			const {signal} = parseOptions(onlySignal, options, 'score()');
			const ids = this.#encode(prompt, {});
			if (ids.length < 2) throw new ExlError('EXL_INVALID_ARGUMENT', 'at least 2 tokens are needed for a score');
			return this.#parts.process.call({method: 'score', ids}, {signal})[0];
		});
	}

	logits(prompt: Prompt, options: SignalOptions = {}): Promise<NativeArray> {
		return quietly(async () => {
			this.#assertOpen();
			const {signal} = parseOptions(onlySignal, options, 'logits()');
			return this.#parts.process.call({method: 'logits', ids: this.#encode(prompt, {})}, {signal})[0];
		});
	}

	async diagnostics(): Promise<Diagnostics> {
		this.#assertOpen();
		return this.#parts.process.call({method: 'diagnostics'})[0];
	}

	async dispose(): Promise<void> {
		if (!(#disposed in this)) throw new ExlError('EXL_INVALID_ARGUMENT', 'dispose() was called on something else');
		const {process} = this.#parts;
		this.#disposed ??= process.close(new ExlError('EXL_DISPOSED', `${process.name} was disposed`));
		await this.#disposed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	#generation(what: string, prompt: Prompt, options: GenerateOptions | undefined): Generation {
		return Generation.prepare(() => {
			this.#assertOpen();
			const resolved = parseGenerateOptions(options, what);
			const ids = this.#encode(prompt, {addBos: resolved.addBos});
			return this.#job(async () => ids, resolved);
		});
	}

	#job(prompt: () => Promise<readonly number[]>, {signal, logitsHook, ...options}: ResolvedGenerateOptions): StartJob {
		if (logitsHook) {
			const message = "logitsHook must not be given with isolation: 'process': a function cannot go to another process";
			throw new ExlError('EXL_INVALID_ARGUMENT', message, {op: 'logitsHook'});
		}
		return async (left, emit) => {
			const {process} = this.#parts;
			const ids = await prompt();
			const [result, id] = process.call(
				{method: 'generate', ids, options, streams: emit !== undefined},
				{signal, onChunk: emit},
			);
			left.addEventListener('abort', () => process.leave(id), {once: true});
			return result;
		};
	}

	#encode(prompt: Prompt, options: Parameters<typeof encodePrompt>[1]): readonly number[] {
		return encodePrompt(prompt, options, this.tokenizer, this.#parts.vocabulary);
	}

	#assertOpen(): void {
		if (this.#disposed) throw new ExlError('EXL_DISPOSED', `${this.#parts.process.name} was used after dispose()`);
	}
}

/** A failure that nobody awaits does not end the process. */
function quietly<T>(work: () => Promise<T>): Promise<T> {
	const promise = work();
	promise.catch(() => {});
	return promise;
}
