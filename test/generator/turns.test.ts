import {join} from 'node:path';
import {afterEach, beforeAll, describe, expect, it, vi} from 'vitest';
import {PageTable} from '../../lib/cache/index.js';
import {Answer} from '../../lib/generator/answer.js';
import type {Step, StepEngine, StepReply} from '../../lib/generator/engine.js';
import {Scheduler} from '../../lib/generator/index.js';
import type {Job} from '../../lib/generator/job.js';
import {loadModel} from '../../lib/model/index.js';
import {DetokenizerStream, Tokenizer} from '../../lib/tokenizer/index.js';
import {modelsDirectory} from '../support/directory.js';
import {seededRandom} from '../support/random.js';

const directory = join(modelsDirectory, 'tinystories-656k');

let tokenizer: Tokenizer;
beforeAll(async () => {
	tokenizer = await Tokenizer.load(directory);
});

const rowsPerStep = 256;
const pagesPerSequence = 64;

/** A generator over an engine whose steps end when they are told to. Nothing here depends on how long anything takes. */
class Bench implements StepEngine {
	readonly maxRows = rowsPerStep;
	readonly maxOutputs: number;
	readonly maxSequences: number;
	readonly pagesPerSequence = pagesPerSequence;
	readonly scheduler: Scheduler;
	/** Rows of each sequence in each step so far. */
	readonly steps: Map<number, number>[] = [];
	readonly #underWay: (() => void)[] = [];
	#serial = 0;

	constructor({jobs = 16, pages = 1024} = {}) {
		this.maxSequences = jobs;
		this.maxOutputs = Math.max(jobs, 8);
		this.scheduler = new Scheduler(this, new PageTable(pages));
	}

	run({outputs, positions, sequences}: Step): Promise<StepReply> {
		const ids = Int32Array.from(outputs, row => 5 + ((positions[row]! * 31) % 1900));
		const rows = new Map<number, number>();
		for (const sequence of sequences) rows.set(sequence, (rows.get(sequence) ?? 0) + 1);
		this.steps.push(rows);
		return new Promise(resolve => this.#underWay.push(() => resolve({ids})));
	}

	async copyPages() {}
	async rewind() {}
	draw = () => 5;

	/** @param lengths Of its strands: two with guidance. */
	start(
		lengths: number | readonly number[],
		{priority = 0, maxTokens = 1, prefix = [] as readonly number[]} = {},
	): Job {
		const seed = ++this.#serial;
		const prompts = [lengths]
			.flat()
			.map((length, strand) => [
				...prefix,
				...Array.from({length: length - prefix.length}, (_, i) => (seed * 977 + strand * 311 + i * 7) % 1900),
			]);
		const options = {
			maxTokens,
			stopIds: new Set<number>(),
			stopStrings: [],
			bannedStrings: [],
			detailed: false,
			logits: false,
		};
		const answer = new Answer(options, new DetokenizerStream(tokenizer, {context: prompts[0]!}));
		const sampler = {id: seed, release() {}};
		const flags = {priority, seed, observes: false, pipelines: true, emit: undefined};
		return this.scheduler.start({prompts, sampler, answer, maxTokens, ...flags});
	}

	/** Ends the oldest step under way, and lets the next one be planned. */
	async step(): Promise<void> {
		await settled();
		this.#underWay.shift()?.();
		await settled();
	}

	/** Ends steps until `job` has a token; how many. */
	async stepsUntilToken(job: Job, most = 100_000): Promise<number> {
		for (let count = 0; count <= most; count++) {
			if (job.answer.tokenIds.length > 0) return count;
			await this.step();
		}
		throw new Error(`no token after ${most} steps`);
	}
}

function settled(): Promise<void> {
	return new Promise(resolve => setImmediate(() => setImmediate(resolve)));
}

describe('a short prompt beside a long one', () => {
	it.each([0, 1, 2, 3, 7, 10])(
		'has its first token in the third step after its arrival, after %i steps',
		async before => {
			const bench = new Bench();
			const long = bench.start(4000);
			for (let i = 0; i < before; i++) await bench.step();
			const short = bench.start(50);
			expect(await bench.stepsUntilToken(short)).toBeLessThanOrEqual(3);
			expect(long.answer.tokenIds).toEqual([]);
			await bench.stepsUntilToken(long);
		},
	);

	it('also if it has two strands, or the long one has', async () => {
		for (const [lengths, shorts] of [
			[[4000], [50, 30]],
			[[2000, 2000], [50]],
			[
				[2000, 2000],
				[50, 50],
			],
		]) {
			const bench = new Bench();
			const long = bench.start(lengths!);
			await bench.step();
			const short = bench.start(shorts!);
			expect(await bench.stepsUntilToken(short)).toBeLessThanOrEqual(3);
			await bench.stepsUntilToken(long);
		}
	});

	it('also if there are many long ones, and many short ones come at once', async () => {
		const bench = new Bench();
		const longs = [4000, 3000, 5000].map(length => bench.start(length));
		await bench.step();
		const shorts = Array.from({length: 3}, () => bench.start(50));
		for (const short of shorts) expect(await bench.stepsUntilToken(short, 3)).toBeLessThanOrEqual(3);
		// In the order of what is left of them.
		await bench.stepsUntilToken(longs[1]!);
		expect(longs[0]!.answer.tokenIds.length + longs[2]!.answer.tokenIds.length).toBe(0);
		for (const long of longs) await bench.stepsUntilToken(long);
	});

	it('also if the long one arrives with it, or most of a prompt is there already', async () => {
		const bench = new Bench();
		const prefix = Array.from({length: 1024}, (_, i) => (i * 13) % 1900);
		await bench.stepsUntilToken(bench.start(1040, {prefix}));
		const long = bench.start(1000);
		const known = bench.start(1060, {prefix});
		expect(await bench.stepsUntilToken(known)).toBeLessThanOrEqual(3);
		expect(long.answer.tokenIds).toEqual([]);
	});
});

describe('a long prompt', () => {
	it('has all rows of a step as long as nobody else wants any', async () => {
		const bench = new Bench();
		expect(await bench.stepsUntilToken(bench.start(4000))).toBe(Math.ceil(4000 / rowsPerStep));
	});

	it('gets a quarter of the rows however many short ones keep coming', async () => {
		const bench = new Bench();
		const long = bench.start(4000);
		await bench.step();
		let count = 0;
		while (long.answer.tokenIds.length === 0) {
			// Enough for every step to be full without the long one.
			while (bench.scheduler.jobs.length < 12) bench.start(200);
			await bench.step();
			count++;
		}
		expect(count).toBeGreaterThan((4000 / rowsPerStep) * 2);
		expect(count).toBeLessThanOrEqual((4000 / rowsPerStep) * 4 + 3);
	});

	it('is done before a later one of its length', async () => {
		const bench = new Bench();
		const first = bench.start(2000);
		const second = bench.start(2000);
		expect(await bench.stepsUntilToken(first)).toBe(Math.ceil(2000 / rowsPerStep));
		expect(second.answer.tokenIds).toEqual([]);
	});
});

describe('while others stream', () => {
	afterEach(() => {
		vi.restoreAllMocks();
	});

	it.each([1, 8, 16])('%i of them, no step has more rows for it than the pace allows', async count => {
		// Steps of no duration: the pace never finds room for more than its least.
		vi.spyOn(performance, 'now').mockReturnValue(0);
		const bench = new Bench({jobs: count + 2});
		const streams = Array.from({length: count}, () => bench.start(4, {maxTokens: 3000}));
		for (const stream of streams) await bench.stepsUntilToken(stream);
		const long = bench.start(4000);
		for (let i = 0; i < 10; i++) await bench.step();
		const from = bench.steps.length;
		const short = bench.start(50);
		expect(await bench.stepsUntilToken(short)).toBeLessThanOrEqual(50);
		const rows = bench.steps.slice(from).map(step => [...step.values()].reduce((sum, n) => sum + n, 0));
		expect(Math.max(...rows)).toBe(count + 2);
		// A quarter of them went to the long one.
		const ofLong = bench.steps.slice(from).reduce((sum, step) => sum + (step.get(long.strands[0]!.row) ?? 0), 0);
		expect(ofLong).toBeGreaterThanOrEqual(14);
		for (const {answer} of streams) expect(answer.tokenIds.length).toBeGreaterThanOrEqual(from);
	});

	it('nobody who has drawn his last token counts as one of them', async () => {
		const bench = new Bench();
		const long = bench.start(4000);
		let shorts = 0;
		while (long.answer.tokenIds.length === 0) {
			if (shorts++ < 12) bench.start(10);
			await bench.step();
		}
		const full = bench.steps.map(step => [...step.values()].reduce((sum, n) => sum + n, 0));
		expect(full.slice(0, -1).every(rows => rows === rowsPerStep)).toBe(true);
	});
});

describe('priority', () => {
	it('comes before length', async () => {
		const bench = new Bench();
		const short = bench.start(50);
		const long = bench.start(1000, {priority: 1});
		expect(await bench.stepsUntilToken(long)).toBe(4);
		expect(await bench.stepsUntilToken(short)).toBeLessThanOrEqual(1);
	});

	it('of a short prompt needs nobody to have a share in its rows', async () => {
		const bench = new Bench();
		const long = bench.start(4000);
		for (let i = 0; i < 3; i++) await bench.step();
		const short = bench.start(256, {priority: 1});
		expect(await bench.stepsUntilToken(short)).toBeLessThanOrEqual(3);
		await bench.stepsUntilToken(long);
	});
});

it('every step is full, and every job has its text, whatever comes when', async () => {
	const random = seededRandom(5);
	const bench = new Bench({jobs: 8, pages: 120});
	const jobs: Job[] = [];
	for (let i = 0; i < 60; i++) {
		const length = random.pick([1, 2, 20, 50, 255, 256, 257, 700, 3000]);
		const lengths = random.int(6) === 0 ? [length, 1 + random.int(100)] : [length];
		jobs.push(bench.start(lengths, {priority: random.int(3), maxTokens: 1 + random.int(20)}));
		for (let steps = random.int(4); steps > 0; steps--) await bench.step();
	}
	for (let guard = 0; bench.scheduler.jobs.length > 0; guard++) {
		expect(guard).toBeLessThan(10_000);
		await bench.step();
	}
	for (const job of jobs) {
		const {promptTokens, completionTokens} = await job.result;
		expect(completionTokens).toBe(job.request.maxTokens);
		expect(promptTokens).toBe(job.request.prompts[0]!.length);
	}
	for (const rows of bench.steps) {
		const sum = [...rows.values()].reduce((a, b) => a + b, 0);
		expect(sum).toBeLessThanOrEqual(rowsPerStep);
	}
	expect(bench.scheduler.pages.statistics.used).toBe(0);
});

it('a short prompt answers before a long one that came first, with a real model', async () => {
	await using model = await loadModel(directory, {device: 'cpu', threads: 1, maxBatch: 4, cache: {tokens: 2048}});
	const order: string[] = [];
	const first = async (name: string, ids: readonly number[]) => {
		for await (const _ of model.generate(ids, {maxTokens: 2, temperature: 0})) {
			order.push(name);
			break;
		}
	};
	const long = Array.from({length: 510}, (_, i) => 3 + ((i * 7) % 2000));
	await Promise.all([first('long', long), first('short', [1, 5, 6, 7])]);
	expect(order).toEqual(['short', 'long']);
});
