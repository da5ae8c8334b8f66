import {ExlError, type Model, memory} from '../index.js';
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

export async function bench(name: string, flags: BenchFlags, terminal: Terminal): Promise<void> {
	const started = performance.now();
	const result = await withModel(name, flags, terminal, async model => {
		const loadMs = performance.now() - started;
		const room = Math.min(model.contextTokens, model.cacheTokens);
		const promptTokens = flags.promptTokens ?? Math.min(512, Math.floor(room / 2));
		const genTokens = flags.genTokens ?? Math.min(128, Math.floor(room / 4));
		const {repeat} = flags;

		// The first run faults in what later runs find in place.
		await measure(model, promptOf(model, promptTokens, 0), 1, terminal.signal);
		const progress = new Progress('measuring');
		const runs: Speeds[] = [];
		try {
			for (let run = 1; run <= repeat; run++) {
				runs.push(await measure(model, promptOf(model, promptTokens, run), genTokens, terminal.signal));
				progress.update(run, repeat);
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

/** @throws {ExlError} `EXL_INTERNAL` if the prompt was not computed but found in the cache, which would flatter. */
async function measure(
	model: Model,
	prompt: readonly number[],
	genTokens: number,
	signal: AbortSignal,
): Promise<Speeds> {
	// A model may end its text early, which would leave less to measure.
	const options = {maxTokens: genTokens, minTokens: genTokens, temperature: 0, signal};
	const {timings, cachedTokens} = await model.complete(prompt, options);
	if (cachedTokens > 0) {
		const message = `${cachedTokens} of ${prompt.length} prompt tokens were in the cache: the speed of the prompt is not that`;
		throw new ExlError('EXL_INTERNAL', message);
	}
	return {prefill: timings.promptTokensPerSecond, decode: timings.tokensPerSecond};
}

/** Ids without a pattern. The first is another one in every `run`, so that no run finds anything of one before in the cache. */
function promptOf(model: Model, length: number, run: number): number[] {
	const {vocabSize} = model.tokenizer;
	return Array.from({length}, (_, i) => ((i + 1) * 7919 + run * 104729) % vocabSize);
}

function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = (sorted.length - 1) / 2;
	return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
