export const interruptedExit = 130;

/** Reading or writing a stream of the process failed: `standard output: ENOSPC: no space left on device, write`. */
export class StreamError extends Error {
	constructor(stream: string, cause: Error) {
		super(`${stream}: ${cause.message}`, {cause});
	}
}

const interrupted = new Error('interrupted');
const hungUp = new Error('nobody reads the output any more');

/** The streams of the process, and the two ways a person ends a command: Ctrl-C and closing what reads its output. */
export class Terminal {
	readonly stdin = process.stdin;
	/** What Ctrl-C does instead of ending the command. */
	onInterrupt: (() => void) | undefined;

	readonly #stop = new AbortController();
	readonly #exit: (code: number) => void;
	/** Settles when everything from `print()` is written. */
	#printed: Promise<void> = Promise.resolve();

	/** @param exit Ends the process at once: for a second Ctrl-C while the first is still being obeyed. */
	constructor(exit: (code: number) => void) {
		this.#exit = exit;
		process.on('SIGINT', () => this.interrupt());
		process.stdin.on('error', error => this.#stop.abort(new StreamError('standard input', error)));
		process.stdout.on('error', error => this.#cannotWrite(error));
		// Without a reader there is nobody to tell.
		process.stderr.on('error', () => {});
	}

	/** Aborts when the command should end. */
	get signal(): AbortSignal {
		return this.#stop.signal;
	}

	get isInteractive(): boolean {
		return process.stdin.isTTY === true && process.stderr.isTTY === true;
	}

	/** Why the command cannot go on, if that is a failure. */
	get failure(): StreamError | undefined {
		return this.signal.reason instanceof StreamError ? this.signal.reason : undefined;
	}

	/** The exit code of a command that was ended from outside; `hangup` is no failure. */
	get endedWith(): number | undefined {
		if (!this.signal.aborted) return undefined;
		if (this.signal.reason === interrupted) return interruptedExit;
		return this.signal.reason === hungUp ? 0 : 1;
	}

	interrupt(): void {
		if (this.onInterrupt) this.onInterrupt();
		else this.end();
	}

	/** Ends the command as Ctrl-C does. */
	end(): void {
		if (this.signal.aborted) this.#exit(interruptedExit);
		else this.#stop.abort(interrupted);
	}

	/** Writes a result to stdout; waits until it is there. */
	async write(text: string): Promise<void> {
		this.signal.throwIfAborted();
		await this.#put(text);
	}

	/** The one JSON value of a command with `--json`. */
	writeJson(value: unknown): Promise<void> {
		return this.write(`${JSON.stringify(value)}\n`);
	}

	/** As `writeJson`, also after Ctrl-C: what would be lost otherwise. */
	async saveJson(value: unknown): Promise<void> {
		if (this.signal.aborted && this.signal.reason !== interrupted) return;
		await this.#put(`${JSON.stringify(value)}\n`);
	}

	/** Writes without waiting; `flush()` tells how it went. */
	print(text: string): void {
		this.#printed = this.#put(text);
		this.#printed.catch(() => {});
	}

	/** @throws {StreamError} If something could not be written. */
	async flush(): Promise<void> {
		await this.#printed;
		if (this.failure) throw this.failure;
	}

	/** Ctrl-C does not wait for a slow reader. */
	#put(text: string): Promise<void> {
		const {signal} = this;
		return new Promise((resolve, reject) => {
			const abort = () => reject(signal.reason);
			signal.addEventListener('abort', abort, {once: true});
			process.stdout.write(text, error => {
				signal.removeEventListener('abort', abort);
				if (!error) return resolve();
				this.#cannotWrite(error);
				abort();
			});
		});
	}

	#cannotWrite(error: NodeJS.ErrnoException): void {
		this.#stop.abort(error.code === 'EPIPE' ? hungUp : new StreamError('standard output', error));
	}

	/** Tells the person something that is no result: a line on stderr. */
	note(line: string): void {
		process.stderr.write(`${line}\n`);
	}
}
