import {once} from 'node:events';

export const interruptedExit = 130;

const interrupted = new Error('interrupted');
const hungUp = new Error('nobody reads the output any more');

/** The streams of the process, and the two ways a person ends a command: Ctrl-C and closing what reads its output. */
export class Terminal {
	readonly stdin = process.stdin;
	/** What Ctrl-C does instead of ending the command. */
	onInterrupt: (() => void) | undefined;

	readonly #stop = new AbortController();
	readonly #exit: (code: number) => void;

	/** @param exit Ends the process at once: for a second Ctrl-C while the first is still being obeyed. */
	constructor(exit: (code: number) => void) {
		this.#exit = exit;
		process.on('SIGINT', () => this.interrupt());
		process.stdout.on('error', (error: NodeJS.ErrnoException) =>
			this.#stop.abort(error.code === 'EPIPE' ? hungUp : error),
		);
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

	/** Writes a result to stdout; waits while its reader is slow. */
	async write(text: string): Promise<void> {
		this.signal.throwIfAborted();
		if (!process.stdout.write(text)) await once(process.stdout, 'drain', {signal: this.signal});
	}

	/** The one JSON value of a command with `--json`. */
	writeJson(value: unknown): Promise<void> {
		return this.write(`${JSON.stringify(value)}\n`);
	}

	/** Tells the person something that is no result: a line on stderr. */
	note(line: string): void {
		process.stderr.write(`${line}\n`);
	}
}
