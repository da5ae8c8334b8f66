import {Presets, SingleBar} from 'cli-progress';

export type ProgressFormat = {
	/** Of a value, in place of the number. */
	readonly show?: (value: number) => string;
};

/** A bar on stderr, only if that is a terminal. */
export class Progress {
	readonly #bar: SingleBar | undefined;
	readonly #show: ((value: number) => string) | undefined;
	#started = false;

	constructor(what: string, {show}: ProgressFormat = {}) {
		if (!process.stderr.isTTY) return;
		const amounts = show ? ' {done} of {all}, {duration_formatted}, {eta_formatted} left' : '';
		const format = `${what} {bar} {percentage}%${amounts}`;
		this.#show = show;
		this.#bar = new SingleBar(
			{format, clearOnComplete: true, hideCursor: true, stream: process.stderr, etaBuffer: 1000},
			Presets.shades_classic,
		);
	}

	update(done: number, total: number): void {
		const shown = this.#show && {done: this.#show(done), all: this.#show(total)};
		if (!this.#started) this.#bar?.start(total, done, shown);
		else this.#bar?.update(done, shown);
		this.#started = true;
	}

	stop(): void {
		if (this.#started) this.#bar?.stop();
		this.#started = false;
	}
}
