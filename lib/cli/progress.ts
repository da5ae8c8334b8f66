import {Presets, SingleBar} from 'cli-progress';

/** A bar on stderr, only if that is a terminal. */
export class Progress {
	readonly #bar: SingleBar | undefined;
	#started = false;

	constructor(what: string) {
		if (!process.stderr.isTTY) return;
		const options = {format: `${what} {bar} {percentage}%`, clearOnComplete: true, hideCursor: true};
		this.#bar = new SingleBar({...options, stream: process.stderr}, Presets.shades_classic);
	}

	update(done: number, total: number): void {
		if (!this.#started) this.#bar?.start(total, done);
		else this.#bar?.update(done);
		this.#started = true;
	}

	stop(): void {
		if (this.#started) this.#bar?.stop();
	}
}
