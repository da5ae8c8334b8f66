// @ts-check

// node story.mjs PHASE ENDING SMALL LARGE: brings a model into a phase of its life, then lets the process, or the worker
// that has the model, end in one of the ways there are. It says 'struck' on stdout just before.

import {writeSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {isMainThread, parentPort, Worker, workerData} from 'node:worker_threads';
import {isEmulated} from './matrix.mjs';

/** @type {string[]} */
const [phase = '', ending = '', small = '', large = ''] = isMainThread ? process.argv.slice(2) : workerData;

const options = {temperature: 0, repetitionPenalty: 1};
// The emulator computes some twenty tokens per second.
const tokens = isEmulated ? 40 : 400;
const long = {...options, maxTokens: tokens, minTokens: tokens};

/** What is alive at the end, so that no garbage collection plays a part. @type {unknown[]} */
const kept = [];

/** False again when the phase is over. */
let isInPhase = true;
let isStruck = false;

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
			if (++reports === 10) reached();
		};
		await load(large, {onProgress});
		isInPhase = false;
	},

	prefilling: async reached => {
		const model = await load(large);
		setTimeout(reached, 30);
		// A GPU may be through with one in less, and none shares its first page with another.
		for (let i = 0; !isStruck; i++) {
			const prompt = Array.from({length: isEmulated ? 64 : 512}, (_, position) => 3 + ((position + i) % 200));
			await model.complete(prompt, {...options, maxTokens: 1});
		}
	},

	decoding: async reached => {
		const model = await load(small);
		let chunks = 0;
		for await (const _ of model.generate('Once upon a time', long)) {
			if (++chunks === 5) reached();
		}
		isInPhase = false;
	},

	streaming: async reached => {
		const model = await load(small);
		const reader = model.generate('Once upon a time', long)[Symbol.asyncIterator]();
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
	isStruck = true;
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
