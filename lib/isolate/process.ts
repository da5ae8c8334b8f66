import type {ChildProcess} from 'node:child_process';
import {ExlError} from '../errors/index.js';
import {expectManyListeners} from '../generator/index.js';
import {type Logger, tell} from '../log/index.js';
import {type Disposable, track} from '../memory/resource.js';
import {systemReason} from '../options/file-error.js';
import {forkChild} from './fork.js';
import {type Listeners, Pending} from './pending.js';
import type {Answers, Call, FromChild, ToChild} from './protocol.js';
import {decodeError} from './wire-error.js';

let processes = 0;

/** A child process and the calls it carries out. It does not refer to the model it stands behind. */
export class ModelProcess {
	readonly name = `isolate#${++processes}`;
	/** Settles when the child is gone, and all it held with it. */
	readonly gone: Promise<void>;
	readonly #child: ChildProcess;
	readonly #logger: Logger | undefined;
	readonly #calls = new Map<number, Pending>();
	/** Calls that wait for the child. As long as there are any, the parent stays alive. */
	readonly #waiting = new Set<number | 'exit'>();
	#lastId = 0;
	/** Why nothing can be asked any more. */
	#ended: ExlError | undefined;
	#forget: (() => void) | undefined;

	/** @throws {ExlError} `EXL_ISOLATE_EXITED` if no process can be started. */
	constructor(logger?: Logger) {
		this.#logger = logger;
		try {
			this.#child = forkChild();
		} catch (cause) {
			throw this.#notStarted(cause);
		}
		this.#child.on('message', (message: FromChild) => this.#receive(message));
		this.gone = new Promise(resolve => {
			const {pid} = this.#child;
			let status: string | undefined;
			const end = (reason: ExlError) => {
				this.#end(reason);
				this.#waits('exit', false);
				resolve();
			};
			// The last messages may come after the exit, and are complete once the channel is closed.
			const check = () => {
				if (status !== undefined && !this.#child.connected) end(this.#exited(pid, status));
			};
			this.#child.on('exit', (code, signal) => {
				status = signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
				check();
			});
			this.#child.on('disconnect', () => {
				this.#child.kill('SIGKILL');
				check();
			});
			this.#child.on('error', cause => {
				if (pid === undefined) end(this.#notStarted(cause));
			});
		});
		this.#applyRef();
	}

	/** Ends the process when `object` is collected without `dispose()`. */
	watchOver(object: Disposable, bytes: number): void {
		this.#forget = track(object, {kind: 'Model', name: this.name, bytes: () => bytes, release: () => this.kill()});
	}

	/** @throws The signal's reason, what the child throws, or `EXL_ISOLATE_EXITED` if it ends before it answers. */
	call<M extends Call['method']>(call: Call & {method: M}, listeners: Listeners = {}): [Promise<Answers[M]>, number] {
		const id = ++this.#lastId;
		const {signal} = listeners;
		const abort = () => {
			this.#send({type: 'abort', id});
			pending.fail(signal!.reason);
		};
		const pending = new Pending<M>(call.method, listeners, {
			taken: count => this.#send({type: 'taken', id, count}),
			waits: forChild => this.#waits(id, forChild && this.#calls.has(id) && !pending.answered),
			settled: () => {
				signal?.removeEventListener('abort', abort);
				this.#calls.delete(id);
				this.#waits(id, false);
			},
		});
		if (this.#ended) pending.fail(this.#ended);
		else if (signal?.aborted) pending.fail(signal.reason);
		else {
			if (signal) expectManyListeners(signal);
			signal?.addEventListener('abort', abort, {once: true});
			this.#calls.set(id, pending as unknown as Pending);
			this.#waits(id, true);
			this.#send({type: 'call', id, call});
		}
		return [pending.answer, id];
	}

	/** Ends a call early but in order. */
	leave(id: number): void {
		if (this.#calls.has(id)) this.#send({type: 'leave', id});
	}

	/** Fails what is running and ends the process; settles when it is gone. */
	close(reason: ExlError): Promise<void> {
		for (const call of this.#end(reason)) call.fail(reason);
		const {pid, exitCode, signalCode} = this.#child;
		this.#waits('exit', pid !== undefined && exitCode === null && signalCode === null);
		this.kill();
		return this.gone;
	}

	/** Frees everything at once. There is nothing in it that an orderly exit would save. */
	kill(): void {
		this.#child.kill('SIGKILL');
	}

	#receive(message: FromChild): void {
		if (message.type === 'log') {
			if (this.#logger) tell(this.#logger, message.level, message.line);
			return;
		}
		const call = this.#calls.get(message.id);
		if (message.type === 'chunks') call?.chunks(message.batch);
		else if (message.type === 'progress') call?.progress(message.progress);
		else if (message.type === 'answer') {
			if (message.batch) call?.chunks(message.batch);
			call?.succeed(message.value as never);
		} else call?.fail(decodeError(message.error));
	}

	#send(message: ToChild): void {
		// A channel that has closed is told by 'disconnect'.
		if (this.#child.connected) this.#child.send(message, () => {});
	}

	/** The calls that are left, of which those without an answer fail. */
	#end(reason: ExlError): Pending[] {
		this.#ended ??= reason;
		this.#forget?.();
		this.#forget = undefined;
		for (const call of this.#calls.values()) if (!call.answered) call.fail(this.#ended);
		return [...this.#calls.values()];
	}

	#exited(pid: number | undefined, status: string): ExlError {
		const running = [...this.#calls.values()].filter(call => !call.answered);
		const methods = new Set(running.map(({method}) => `${method}()`));
		const what = methods.size === 0 ? 'while it was idle' : `while it ran ${[...methods].join(', ')}`;
		return new ExlError('EXL_ISOLATE_EXITED', `the process of ${this.name} (pid ${pid}) ${status} ${what}`);
	}

	#notStarted(cause: unknown): ExlError {
		const message = `the process of ${this.name} cannot be started: ${systemReason(cause)}`;
		return new ExlError('EXL_ISOLATE_EXITED', message, {cause});
	}

	#waits(who: number | 'exit', isWaiting: boolean): void {
		const before = this.#waiting.size;
		if (isWaiting) this.#waiting.add(who);
		else this.#waiting.delete(who);
		if ((before === 0) !== (this.#waiting.size === 0)) this.#applyRef();
	}

	#applyRef(): void {
		const method = this.#waiting.size === 0 ? 'unref' : 'ref';
		this.#child[method]();
		this.#child.channel?.[method]();
	}
}
