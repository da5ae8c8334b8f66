import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import v8 from 'node:v8';
import {expect, it} from 'vitest';
import {Generation} from '../../lib/generator/index.js';
import {liveBuffers, snapshot} from '../../lib/memory/index.js';
import {loadModel, type Model} from '../../lib/model/index.js';
import {modelsDirectory} from '../support/directory.js';
import {expectNothingHeld, keepDevicesOpen} from '../support/memory.js';
import {seededRandom} from '../support/random.js';

const greedy = {temperature: 0, repetitionPenalty: 1} as const;
const prompt = [1, 80, 3];
const reason = new Error('enough');

keepDevicesOpen();

const random = seededRandom(1);

/** Starts a job and says how it should end. */
type Start = (model: Model, maxTokens: number) => Promise<'done' | 'aborted' | 'left'>;

async function settled(job: Promise<unknown>): Promise<'done' | 'aborted'> {
	try {
		await job;
		return 'done';
	} catch (error) {
		expect(error).toBe(reason);
		return 'aborted';
	}
}

const whole: Start = async (model, maxTokens) => {
	const result = await model.complete(prompt, {...greedy, maxTokens});
	expect(result.completionTokens).toBeLessThanOrEqual(maxTokens);
	return 'done';
};

const cut: Record<string, Start> = {
	'a signal that has aborted': (model, maxTokens) =>
		settled(model.complete(prompt, {...greedy, maxTokens, signal: AbortSignal.abort(reason)})),

	'a signal while it waits or runs': async (model, maxTokens) => {
		const controller = new AbortController();
		const job = settled(model.complete(prompt, {...greedy, maxTokens, signal: controller.signal}));
		await sleep(random.int(20));
		controller.abort(reason);
		return job;
	},

	'a signal between two tokens': (model, maxTokens) => {
		const controller = new AbortController();
		const read = async () => {
			const {signal} = controller;
			for await (const _ of model.generate(prompt, {...greedy, maxTokens, signal})) controller.abort(reason);
		};
		return settled(read());
	},

	'leaving the loop': async (model, maxTokens) => {
		let chunks = random.int(3);
		for await (const _ of model.generate(prompt, {...greedy, maxTokens})) if (chunks-- === 0) break;
		return 'left';
	},

	'a throw in the loop': (model, maxTokens) => {
		const read = async () => {
			for await (const _ of model.generate(prompt, {...greedy, maxTokens})) throw reason;
		};
		return settled(read());
	},
};

/** Live objects of a class; undefined where V8 cannot say. */
function alive(type: new (...args: never[]) => unknown): number | undefined {
	return v8.queryObjects?.(type, {format: 'count'});
}

it('10,000 jobs, half of them cut short, leave nothing behind', async () => {
	const unhandled: unknown[] = [];
	const note = (error: unknown) => unhandled.push(error);
	process.on('unhandledRejection', note);
	const model = await loadModel(join(modelsDirectory, 'tinystories-656k-exl2'), {device: 'cpu', threads: 1});
	const {text} = await model.complete(prompt, {...greedy, maxTokens: 20});
	const expected = {ids: liveBuffers().map(({id}) => id), ...snapshot().devices['cpu']};
	const look = () => ({
		promises: alive(Promise),
		generations: alive(Generation),
		signals: alive(AbortSignal),
		resources: process.getActiveResourcesInfo().length,
	});

	const ways = Object.values(cut);
	const ends = {done: 0, aborted: 0, left: 0};
	/** A hundred at once, so that most of them wait. */
	const wave = async () => {
		const jobs = Array.from({length: 100}, (_, i) => {
			const start = i % 2 === 0 ? whole : random.pick(ways);
			return start(model, 1 + random.int(8));
		});
		for (const end of await Promise.all(jobs)) ends[end]++;
	};
	await wave();
	await sleep(20);
	const before = look();
	for (let i = 1; i < 100; i++) await wave();
	await sleep(20);
	const after = look();

	expect(ends.done + ends.aborted + ends.left).toBe(10_000);
	expect(ends.done).toBeGreaterThanOrEqual(5000);
	expect(ends.aborted).toBeGreaterThan(2000);
	expect(ends.left).toBeGreaterThan(500);
	expect({ids: liveBuffers().map(({id}) => id), ...snapshot().devices['cpu']}).toEqual(expected);
	expect(unhandled).toEqual([]);
	// As after the first wave, give or take what the test itself has in the air.
	for (const [name, count] of Object.entries(after)) {
		if (count !== undefined) expect(Math.abs(count - before[name as keyof typeof before]!), name).toBeLessThan(20);
	}

	expect((await model.complete(prompt, {...greedy, maxTokens: 20})).text).toBe(text);
	await model.dispose();
	expectNothingHeld();
	process.off('unhandledRejection', note);
});
