// @ts-check

// Every way to end at every moment of a model's life. A story of its own process has to end as the same story without a
// model does: same exit code or signal, same words on stderr, and soon.

import {spawn} from 'node:child_process';
import {fileURLToPath} from 'node:url';

/** @typedef {{code: number | null, signal: string | null, stderr: string, milliseconds: number}} Outcome */

/** Where the models of the stories are loaded. */
const device = process.env.EXL_TEST_DEVICE ?? 'cpu';

/** Whether everything takes a hundred times as long. */
export const isEmulated = device.startsWith('emulator');

export const phases = ['idle', 'loading', 'prefilling', 'decoding', 'streaming'];

const all = [
	'end',
	'exit-0',
	'exit-3',
	'sigint',
	'sigterm',
	'throw',
	'reject',
	'worker-end',
	'worker-exit',
	'worker-throw',
	'worker-terminate',
	'main-exit',
];

const isAsked = (/** @type {string} */ ending) => {
	// In a quick run one of each kind: by itself, by a signal, by an error, in a worker.
	return !process.env.EXL_TEST_QUICK || ['end', 'sigterm', 'throw', 'worker-terminate'].includes(ending);
};

export const endings = all.filter(isAsked);

/** Node waits for what is in flight when a script ends by itself; everything else ends at once. @param {string} ending */
export function limit(ending) {
	const milliseconds = ending === 'end' || ending === 'worker-end' ? 10_000 : 2000;
	return process.env.EXL_SANITIZE || isEmulated ? milliseconds * 10 : milliseconds;
}

const story = fileURLToPath(new URL('story.mjs', import.meta.url));
const small = fileURLToPath(new URL('../../models/tinystories-656k-exl2', import.meta.url));

/**
@param {string} phase One of `phases`, or `bare` for Node without a model.
@param {string} ending
@param {string} large A model that takes some time.
@returns {Promise<Outcome>} `milliseconds` are those from the event to the end of the process.
*/
export function tell(phase, ending, large) {
	const child = spawn(process.execPath, [story, phase, ending, small, large], {
		stdio: ['ignore', 'pipe', 'pipe'],
		env: {...process.env, EXL_DEVICE: device},
	});
	const overdue = setTimeout(() => child.kill('SIGKILL'), 30_000);
	let stderr = '';
	let struck = Number.NaN;
	child.stdout.on('data', () => {
		struck = performance.now();
	});
	child.stderr.setEncoding('utf8').on('data', text => {
		stderr += text;
	});
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code, signal) => {
			clearTimeout(overdue);
			resolve({code, signal, stderr, milliseconds: performance.now() - struck});
		});
	});
}

/** Does two things at a time. @template T */
export class Pairs {
	/** @type {(() => Promise<void>)[]} */
	#waiting = [];
	#running = 0;

	/** @param {() => Promise<T>} work @returns {Promise<T>} */
	add(work) {
		return new Promise((resolve, reject) => {
			this.#waiting.push(() => work().then(resolve, reject));
			this.#next();
		});
	}

	#next() {
		if (this.#running >= 2) return;
		const work = this.#waiting.shift();
		if (!work) return;
		this.#running++;
		void work().finally(() => {
			this.#running--;
			this.#next();
		});
	}
}
