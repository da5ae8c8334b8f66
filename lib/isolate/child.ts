// The entry of a child process that runs one model. It is never imported.

import type {GenerateResult} from '../generator/index.js';
import type {Logger} from '../log/index.js';
import {ownedBytes} from '../memory/index.js';
import {loadModel, type Model} from '../model/index.js';
import type {LoadProgress} from '../options/index.js';
import {pack} from './batch.js';
import {Outbox} from './outbox.js';
import type {Answers, Call, FromChild, GenerateCall, ToChild} from './protocol.js';
import {encodeError} from './wire-error.js';

class Job {
	readonly id: number;
	readonly abort = new AbortController();
	readonly outbox: Outbox;

	constructor(id: number) {
		this.id = id;
		this.outbox = new Outbox(chunks => send({type: 'chunks', id, batch: pack(chunks)}));
	}
}

const jobs = new Map<number, Job>();
let model: Model | undefined;

// The parent is gone, however it went. Nothing here is worth keeping, and an orderly exit would wait for the step in
// flight, which may take seconds.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

// A terminal sends these to every process of the program. Whether the program ends is for the parent to decide.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});

process.on('message', (message: ToChild) => {
	const job = jobs.get(message.id);
	if (message.type === 'call') void answer(message.id, message.call);
	else if (message.type === 'taken') job?.outbox.taken(message.count);
	else {
		if (message.type === 'abort') job?.abort.abort();
		job?.outbox.leave();
	}
});

async function answer(id: number, call: Call): Promise<void> {
	const job = new Job(id);
	jobs.set(id, job);
	try {
		const value = await run(job, call);
		const rest = job.outbox.rest();
		send({type: 'answer', id, value, ...(rest.length > 0 && {batch: pack(rest)})});
	} catch (error) {
		job.outbox.flush();
		send({type: 'failure', id, error: encodeError(error)});
	} finally {
		jobs.delete(id);
	}
}

function run(job: Job, call: Call): Promise<Answers[keyof Answers]> {
	const {signal} = job.abort;
	if (call.method === 'loadModel') return load(job.id, call);
	if (call.method === 'generate') return generate(job, call);
	if (call.method === 'snapshot') return model!.generator.snapshot();
	if (call.method === 'diagnostics') return model!.diagnostics();
	return model![call.method](call.ids, {signal});
}

/** To the parent's logger. */
const forwarder = Object.fromEntries(
	(['debug', 'info', 'warn', 'error'] as const).map(level => [
		level,
		(line: string) => send({type: 'log', level, line}),
	]),
) as unknown as Logger;

/** There is no signal: the parent ends the process instead. */
async function load(
	id: number,
	{directory, options, logs}: Call & {method: 'loadModel'},
): Promise<Answers['loadModel']> {
	const onProgress = (progress: LoadProgress) => send({type: 'progress', id, progress});
	model = await loadModel(directory, {...options, onProgress, ...(logs && {logger: forwarder})});
	const {architecture, contextTokens, cacheTokens, loader, device} = model;
	return {architecture, contextTokens, cacheTokens, loader, device, bytes: ownedBytes('model#1')};
}

function generate({abort, outbox}: Job, {ids, options, streams}: GenerateCall): Promise<GenerateResult> {
	const generation = model!.continue(ids, {...options, signal: abort.signal});
	if (!streams) return generation.result;
	outbox.onLeave = () => generation.leave();
	return generation.pipe(chunk => outbox.push(chunk));
}

function send(message: FromChild): void {
	// It fails when the parent is gone, which 'disconnect' tells as well.
	process.send?.(message, undefined, undefined, () => {});
}
