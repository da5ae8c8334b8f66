import {type Model, memory} from '../index.js';
import type {CommonFlags} from './flags.js';
import {bytes, decimal, facts} from './format.js';
import {withModel} from './load.js';
import {Progress} from './progress.js';
import type {Terminal} from './terminal.js';

export type BenchFlags = CommonFlags & {
	readonly promptTokens?: number;
	readonly genTokens?: number;
	readonly repeat: number;
};

type Speeds = {readonly prefill: number; readonly decode: number};

/** Runs until enough tokens came: a model may end its text early. */
const mostRuns = 16;

export async function bench(name: string, flags: BenchFlags, terminal: Terminal): Promise<void> {
	const started = performance.now();
	const result = await withModel(name, flags, terminal, async model => {
		const loadMs = performance.now() - started;
		const room = Math.min(model.contextTokens, model.cacheTokens);
		const promptTokens = flags.promptTokens ?? Math.min(512, Math.floor(room / 2));
		const genTokens = flags.genTokens ?? Math.min(128, Math.floor(room / 4));
		const {repeat} = flags;

		// The first run faults in what later runs find in place.
		await model.complete(promptOf(model, promptTokens, 0), {maxTokens: 1, signal: terminal.signal});
		const progress = new Progress('measuring');
		const runs: Speeds[] = [];
		try {
			for (let i = 0; i < repeat; i++) {
				runs.push(await measure(model, promptTokens, genTokens, terminal.signal));
				progress.update(i + 1, repeat);
			}
		} finally {
			progress.stop();
		}

		const {allocated, peak, byKind} = memory.snapshot().devices[model.device]!;
		return {
			device: model.device,
			promptTokens,
			genTokens,
			repeat,
			loadMs,
			prefillTokensPerSecond: median(runs.map(run => run.prefill)),
			decodeTokensPerSecond: median(runs.map(run => run.decode)),
			memory: {allocated, peak, byKind},
			// libuv gives kibibytes on every platform.
			peakRss: process.resourceUsage().maxRSS * 1024,
		};
	});
	if (flags.json) return terminal.writeJson(result);
	const text = facts([
		['device', result.device],
		['load', `${decimal(result.loadMs)} ms`],
		['prefill', `${decimal(result.prefillTokensPerSecond)} tokens/s (${result.promptTokens} tokens)`],
		['decode', `${decimal(result.decodeTokensPerSecond)} tokens/s (${result.genTokens} tokens)`],
		['peak memory', `${bytes(result.memory.peak)} on the device, ${bytes(result.peakRss)} in the process`],
	]);
	await terminal.write(`${text}\n`);
}

async function measure(model: Model, promptTokens: number, genTokens: number, signal: AbortSignal): Promise<Speeds> {
	const prefill: number[] = [];
	let tokens = 0;
	let milliseconds = 0;
	for (let run = 1; run <= mostRuns && tokens < genTokens - 1; run++) {
		const maxTokens = genTokens - tokens;
		const prompt = promptOf(model, promptTokens, run);
		const {timings, completionTokens} = await model.complete(prompt, {maxTokens, temperature: 0, signal});
		prefill.push(timings.promptTokensPerSecond);
		tokens += Math.max(0, completionTokens - 1);
		milliseconds += timings.decodeMs;
	}
	return {prefill: median(prefill), decode: milliseconds > 0 ? (tokens * 1000) / milliseconds : 0};
}

/** Ids without a pattern, other ones for every `run`. */
function promptOf(model: Model, length: number, run: number): number[] {
	const {vocabSize} = model.tokenizer;
	return Array.from({length}, (_, i) => ((i + 1) * 7919 + run * 104729) % vocabSize);
}

function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = (sorted.length - 1) / 2;
	return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
