// @ts-check

// Decode and prefill speed of a model, beside the memory bandwidth of the same machine in the same run: one decoded token
// reads every weight once, so bandwidth / weight bytes is the most tokens/s there can be, and the ratio is comparable
// between machines.
//
//   node bench/throughput.mjs MODEL [--prompts 32,128,512] [--gen-tokens 64] [--repeat 5] [--threads N] [--json]
//
// Bandwidth is what memchr() reads on `threads` worker threads from memory much larger than the caches. It is close to
// what a core can read at best, but it is one access pattern: take the ratio as a guide, and expect a model that fits
// into the caches to exceed 1.

import {availableParallelism} from 'node:os';
import {parseArgs} from 'node:util';
import {isMainThread, parentPort, Worker, workerData} from 'node:worker_threads';
import {inspectModel, loadModel} from 'node-exllama';
import {median, table} from './table.mjs';

const bandwidthBytes = 512 * 2 ** 20;
const passes = 5;

if (isMainThread) await main();
else read();

async function main() {
	const {values, positionals} = parseArgs({
		allowPositionals: true,
		options: {
			prompts: {type: 'string', default: '32,128,512'},
			'gen-tokens': {type: 'string', default: '64'},
			repeat: {type: 'string', default: '5'},
			threads: {type: 'string'},
			json: {type: 'boolean'},
		},
	});
	const [directory] = positionals;
	if (directory === undefined) throw new Error('node bench/throughput.mjs MODEL; see the head of this file');
	const threads = Number(values.threads ?? availableParallelism());
	const repeat = Number(values.repeat);
	const genTokens = Number(values['gen-tokens']);

	const bytesPerSecond = await bandwidth(threads);
	const {weightBytes, kinds, contextTokens} = await inspectModel(directory);
	// A token reads one row of the embedding, unless the embedding is the head too.
	const perToken = weightBytes - (kinds.lm_head ? (kinds.embed_tokens?.bytes ?? 0) : 0);

	const model = await loadModel(directory, {threads});
	/** @type {{promptTokens: number, prefill: number, decode: number}[]} */
	const results = [];
	let prompts = 0;
	try {
		const sizes = values.prompts
			.split(',')
			.map(Number)
			.filter(size => size + genTokens <= contextTokens);
		for (const promptTokens of sizes) {
			const runs = [];
			for (let run = 0; run <= repeat; run++) {
				const timings = await measure(model, promptTokens, genTokens, prompts++);
				// The first run is a warm-up.
				if (run > 0) runs.push(timings);
			}
			const prefill = median(runs.map(timings => timings.prefill));
			results.push({promptTokens, prefill, decode: median(runs.map(timings => timings.decode))});
		}
	} finally {
		await model.dispose();
	}

	const summary = {directory, threads, bytesPerSecond, bytesPerToken: perToken, results};
	if (values.json) return console.log(JSON.stringify(summary));
	const gigabytes = (/** @type {number} */ bytes) => (bytes / 1e9).toFixed(2);
	console.log(`${threads} threads read ${gigabytes(bytesPerSecond)} GB/s; a token reads ${gigabytes(perToken)} GB`);
	const rows = results.map(({promptTokens, prefill, decode}) => [
		String(promptTokens),
		prefill.toFixed(1),
		decode.toFixed(1),
		gigabytes(decode * perToken),
		((decode * perToken) / bytesPerSecond).toFixed(2),
	]);
	console.log(table([['prompt', 'prefill tok/s', 'decode tok/s', 'decode GB/s', 'of bandwidth'], ...rows]));
}

/**
@param {import('node-exllama').Model} model @param {number} promptTokens @param {number} genTokens
@param {number} number Of the prompt: each begins with another token, so that nothing of it is in the cache.
*/
async function measure(model, promptTokens, genTokens, number) {
	const {vocabSize} = model.tokenizer;
	const prompt = Array.from({length: promptTokens}, (_, i) => ((i + 1) * 7919 + number * 104729) % vocabSize);
	const options = {maxTokens: genTokens, minTokens: genTokens, temperature: 0};
	const {timings, cachedTokens} = await model.complete(prompt, options);
	if (cachedTokens > 0) throw new Error(`${cachedTokens} tokens of the prompt were in the cache`);
	return {prefill: timings.promptTokensPerSecond, decode: timings.tokensPerSecond};
}

/** Bytes per second, the median of some passes. @param {number} threads */
async function bandwidth(threads) {
	const memory = new SharedArrayBuffer(bandwidthBytes);
	// Untouched pages would all be one page of zeros, in the cache.
	new Uint8Array(memory).fill(1);
	const share = bandwidthBytes / threads;
	const workers = Array.from({length: threads}, (_, i) => {
		const start = Math.floor(i * share);
		const length = Math.floor(share);
		return new Worker(new URL(import.meta.url), {workerData: {memory, start, length}});
	});
	/** @param {Worker} worker @returns {Promise<void>} */
	const answer = worker =>
		new Promise((resolve, reject) => worker.once('message', () => resolve()).once('error', reject));
	try {
		await Promise.all(workers.map(answer));
		const speeds = [];
		for (let pass = 0; pass < passes; pass++) {
			const started = performance.now();
			const answers = workers.map(answer);
			for (const worker of workers) worker.postMessage('read');
			await Promise.all(answers);
			speeds.push((bandwidthBytes * 1000) / (performance.now() - started));
		}
		return median(speeds);
	} finally {
		await Promise.all(workers.map(worker => worker.terminate()));
	}
}

/** Reads its share whenever it is told to. */
function read() {
	const {memory, start, length} = workerData;
	const bytes = Buffer.from(memory, start, length);
	parentPort?.on('message', () => parentPort?.postMessage(bytes.indexOf(2)));
	parentPort?.postMessage('ready');
}
