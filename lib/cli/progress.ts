import {Presets, SingleBar} from 'cli-progress';

export type ProgressFormat = {
	/** Of a value; with it, the bar says how much there is, how fast it grows and how long it will take. */
	readonly show?: (value: number) => string;
};

/** A bar on stderr, only if that is a terminal. */
export class Progress {
	readonly #bar: SingleBar | undefined;
	readonly #show: ((value: number) => string) | undefined;
	readonly #pace = new Pace();
	#started = false;

	constructor(what: string, {show}: ProgressFormat = {}) {
		if (!process.stderr.isTTY) return;
		const format = `${what} {bar} {percentage}%${show ? ' {amounts}' : ''}`;
		this.#show = show;
		const options = {format, clearOnComplete: true, hideCursor: true};
		this.#bar = new SingleBar({...options, stream: process.stderr}, Presets.shades_classic);
	}

	update(done: number, total: number): void {
		if (!this.#bar) return;
		const shown = this.#show && {amounts: this.#amounts(this.#show, done, total)};
		if (!this.#started) this.#bar.start(total, done, shown);
		else this.#bar.update(done, shown);
		this.#started = true;
	}

	stop(): void {
		if (this.#started) this.#bar?.stop();
		this.#started = false;
	}

	#amounts(show: (value: number) => string, done: number, total: number): string {
		const amounts = `${show(done)} of ${show(total)}`;
		const perSecond = this.#pace.of(done);
		return perSecond === undefined
			? amounts
			: `${amounts}, ${show(perSecond)}/s, ${duration((total - done) / perSecond)} left`;
	}
}

const windowMs = 10_000;

/** How fast a value grows, over the last seconds. */
export class Pace {
	#samples: {readonly at: number; readonly value: number}[] = [];

	/** Per second; undefined as long as nobody can say. */
	of(value: number, at: number = performance.now()): number | undefined {
		const last = this.#samples.at(-1);
		// Ten samples a second are enough.
		if (!last || at - last.at >= 100) this.#samples.push({at, value});
		while (this.#samples.length > 2 && at - this.#samples[0]!.at > windowMs) this.#samples.shift();
		const first = this.#samples[0]!;
		return at - first.at >= 1000 && value > first.value ? ((value - first.value) * 1000) / (at - first.at) : undefined;
	}
}

/** `42 s`, `3 min 10 s`, `2 h 5 min` */
export function duration(seconds: number): string {
	const whole = Math.ceil(seconds);
	if (whole < 60) return `${whole} s`;
	if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
	return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
