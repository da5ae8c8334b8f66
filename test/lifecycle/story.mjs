// @ts-check

// node story.mjs PHASE ENDING SMALL LARGE: brings a model into a phase of its life, then lets the process, or the worker
// that has the model, end in one of the ways there are. It says 'struck' on stdout just before.

import {writeSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {isMainThread, parentPort, Worker, workerData} from 'node:worker_threads';

/** @type {string[]} */
const [phase = '', ending = '', small = '', large = ''] = isMainThread ? process.argv.slice(2) : workerData;

const options = {temperature: 0, repetitionPenalty: 1};
const longPrompt = Array.from({length: 512}, (_, i) => 3 + (i % 200));

/** What is alive at the end, so that no garbage collection plays a part. @type {unknown[]} */
const kept = [];

/** False again when the phase is over. */
let isInPhase = true;

/** @param {string} directory @param {import('node-exllama').LoadOptions} [loadOptions] */
async function load(directory, loadOptions) {
	const {loadModel} = await import('node-exllama');
	const model = await loadModel(directory, {threads: 2, ...loadOptions});
	kept.push(model);
	return model;
}

/** Each calls `reached` when the model is in the phase, and goes on with it. @type {Record<string, (reached: () => void) => Promise<void>>} */
const phases = {
	/** What Node does by itself. */
	bare: async reached => reached(),

	idle: async reached => {
		await load(small);
		reached();
	},

	loading: async reached => {
		let reports = 0;
		const onProgress = () => {
			if (++reports === 20) reached();
		};
		await load(large, {onProgress});
		isInPhase = false;
	},

	prefilling: async reached => {
		const model = await load(large);
		setTimeout(reached, 30);
		await model.complete(longPrompt, {...options, maxTokens: 1});
		isInPhase = false;
	},

	decoding: async reached => {
		const model = await load(small);
		let chunks = 0;
		for await (const _ of model.generate('Once upon a time', {...options, maxTokens: 400, minTokens: 400})) {
			if (++chunks === 5) reached();
		}
		isInPhase = false;
	},

	streaming: async reached => {
		const model = await load(small);
		const reader = model
			.generate('Once upon a time', {...options, maxTokens: 400, minTokens: 400})
			[Symbol.asyncIterator]();
		kept.push(reader);
		await reader.next();
		// Long enough for the job to run into the limit of what it may be ahead of its reader.
		await sleep(50);
		reached();
	},
};

/** How the thread that has the model ends. @type {Record<string, () => void>} */
const endings = {
	end: () => {},
	'exit-0': () => process.exit(0),
	'exit-3': () => process.exit(3),
	sigint: () => process.kill(process.pid, 'SIGINT'),
	sigterm: () => process.kill(process.pid, 'SIGTERM'),
	throw: () => {
		throw new Error('the story ends');
	},
	reject: () => {
		void Promise.reject(new Error('the story ends'));
	},
	'worker-end': () => {},
	'worker-exit': () => process.exit(5),
	'worker-throw': () => {
		throw new Error('the story ends');
	},
	'worker-terminate': askMain,
	'main-exit': askMain,
};

/** Has the main thread end this one, which would end by itself if it were idle. */
function askMain() {
	setInterval(() => {}, 1000);
	parentPort?.postMessage('struck');
}

function strike() {
	if (!isInPhase) console.error(`${phase} was over before the end`);
	writeSync(1, 'struck\n');
	endings[ending]?.();
}

if (isMainThread && /worker|main/.test(ending)) {
	const worker = new Worker(fileURLToPath(import.meta.url), {workerData: [phase, ending, small, large]});
	worker.on('message', () => {
		if (ending === 'main-exit') process.exit(6);
		void worker.terminate();
	});
	worker.on('error', error => console.error(error.message));
	worker.on('exit', code => {
		process.exitCode = 20 + code;
	});
} else {
	void phases[phase]?.(() => setImmediate(strike));
}
