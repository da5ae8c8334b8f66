import {describe, expect, it} from 'vitest';
import {type PagedSequence, PageTable, pageTokens} from '../../lib/cache/index.js';
import {seededRandom} from '../support/random.js';

/** Tokens `first`, `first + 1`, ... */
const count = (length: number, first = 0) => Array.from({length}, (_, i) => first + i);

/** Opens, computes and commits all of `ids`. */
function filled(table: PageTable, ids: readonly number[]): PagedSequence {
	const {sequence} = table.open(ids)!;
	sequence.commit(ids, ids.length);
	return sequence;
}

describe('a page table', () => {
	it('shares the pages of what prompts have in common', () => {
		const table = new PageTable(10);
		const prefix = count(3 * pageTokens);
		const first = filled(table, [...prefix, 1]);
		const second = table.open([...prefix, 2])!.sequence;
		expect(second.ready).toBe(3 * pageTokens);
		expect(table.statistics).toMatchObject({used: 5, shared: 3});
		first.release();
		second.release();
		expect(table.statistics).toMatchObject({used: 0, shared: 0, total: 10});
	});

	it('leaves the last token to compute, even of a prompt it knows whole', () => {
		const table = new PageTable(4);
		const ids = count(2 * pageTokens);
		filled(table, ids).release();
		const {sequence, copy} = table.open(ids)!;
		expect(sequence.ready).toBe(2 * pageTokens - 1);
		expect(copy).toBeDefined();
	});

	it('lets one sequence compute what several wait for', () => {
		const table = new PageTable(10);
		const ids = count(2 * pageTokens + 1);
		const first = table.open(ids)!.sequence;
		const second = table.open(ids)!.sequence;
		expect(first.claim(0, 512, 300)).toEqual({from: 0, to: 300});
		expect(second.claim(0, 512, 300)).toEqual({from: 0, to: 0});
		first.commit(ids, 300);
		expect(second.ready).toBe(300);
		expect(second.claim(0, 512, 300)).toEqual({from: 300, to: 300});
		// Whoever is left goes on with it.
		first.release();
		expect(second.claim(0, 512, 300)).toEqual({from: 300, to: 512});
	});

	it('goes on in a page that nobody holds, and copies one that somebody does', () => {
		const table = new PageTable(4);
		const ids = count(100);
		const first = filled(table, ids);
		const copied = table.open([...ids.slice(0, 50), 999, 998])!;
		expect(copied.copy).toEqual({from: expect.any(Number), to: expect.any(Number)});
		expect(copied.sequence.ready).toBe(50);
		copied.sequence.release();
		first.release();
		const taken = table.open([...ids, 999])!;
		expect(taken.copy).toBeUndefined();
		expect(taken.sequence.ready).toBe(100);
	});

	it('forgets what was used longest ago first, and the end of a sequence before its beginning', () => {
		const table = new PageTable(4);
		const old = count(2 * pageTokens + 1);
		const recent = count(pageTokens, 5000);
		filled(table, old).release();
		filled(table, recent).release();
		// One page is empty, then the last of the old ones goes.
		const taken = table.open(count(pageTokens + 1, 9000))!.sequence;
		taken.release();
		expect(table.open(old)!.sequence.ready).toBeGreaterThanOrEqual(pageTokens);
	});

	it('merges pages that turn out to be equal', () => {
		const table = new PageTable(6);
		const ids = count(pageTokens + 2);
		const first = filled(table, ids.slice(0, 10));
		const second = filled(table, ids.slice(0, 9));
		for (const sequence of [first, second]) {
			while (sequence.room < ids.length) sequence.grow();
			sequence.commit(ids, ids.length);
		}
		expect(table.statistics).toMatchObject({used: 3, shared: 1});
	});

	it('says when there are too few pages, and takes none', () => {
		const table = new PageTable(2);
		const held = table.open(count(300))!.sequence;
		expect(table.open(count(3, 7))).toBeUndefined();
		expect(table.reserve(1)).toBeUndefined();
		expect(held.grow()).toBe(false);
		held.release();
		expect(table.open(count(300, 7), 1)).toBeUndefined();
		expect(table.available).toBe(2);
	});
});

/**
A table whose pages have content: for each place, all tokens up to it, as attention would have made it of them. What is read
of it must always be what the reader's own tokens would give.
*/
class NaiveCache {
	readonly #content: (number | undefined)[][];

	constructor(pages: number) {
		this.#content = Array.from({length: pages}, () => []);
	}

	write(row: Int32Array, ids: readonly number[], from: number, to: number): void {
		for (let i = from; i < to; i++) this.#place(row, i)[i % pageTokens] = digest(ids, i);
	}

	copy(from: number, to: number): void {
		this.#content[to] = [...this.#content[from]!];
	}

	expectReadable(row: Int32Array, ids: readonly number[], count: number): void {
		for (let i = 0; i < count; i++) {
			const content = this.#place(row, i)[i % pageTokens];
			if (content !== digest(ids, i)) expect(content, `token ${i} of ${ids.length}`).toBe(digest(ids, i));
		}
	}

	#place(row: Int32Array, index: number): (number | undefined)[] {
		return this.#content[row[Math.floor(index / pageTokens)]!]!;
	}
}

const digests = new WeakMap<readonly number[], number[]>();

/** Stands for the first `last + 1` tokens: a polynomial over them, modulo a prime. */
function digest(ids: readonly number[], last: number): number {
	let list = digests.get(ids);
	if (!list) {
		list = [];
		digests.set(ids, list);
	}
	for (let i = list.length; i <= last; i++) list.push(((list[i - 1] ?? 7) * 65_537 + ids[i]! + 1) % 100_000_000_003);
	return list[last]!;
}

type Live = {readonly sequence: PagedSequence; readonly ids: number[]; planned: number; row: Int32Array};

it('never mixes up contents over 100,000 random operations', () => {
	const random = seededRandom(3);
	const pageCount = 24;
	const table = new PageTable(pageCount);
	const cache = new NaiveCache(pageCount);
	const live: Live[] = [];
	// Few different beginnings, so that much is shared.
	const stems = Array.from({length: 6}, (_, i) =>
		count(4 * pageTokens, (i % 3) * 10_000).map((id, at) => (at < 300 ? id : id + i)),
	);
	const rowOf = (sequence: PagedSequence) => {
		const row = new Int32Array(pageCount);
		sequence.writeRow(row, 0);
		return row;
	};

	const operations = {
		open() {
			const ids = random.pick(stems).slice(0, 1 + random.int(3.5 * pageTokens));
			if (random.int(2)) ids.push(random.int(50));
			const before = table.available;
			const opened = table.open(ids, random.int(3));
			if (!opened) {
				expect(table.available).toBe(before);
				return;
			}
			if (opened.copy) cache.copy(opened.copy.from, opened.copy.to);
			const {sequence} = opened;
			live.push({sequence, ids, planned: 0, row: rowOf(sequence)});
		},
		compute(job: Live) {
			const most = 1 + random.int(400);
			const {from, to} = job.sequence.claim(job.planned, job.ids.length, most);
			expect(to - from).toBeLessThanOrEqual(most);
			job.row = rowOf(job.sequence);
			cache.expectReadable(job.row, job.ids, from);
			cache.write(job.row, job.ids, from, to);
			job.planned = to;
		},
		commit(job: Live) {
			if (job.planned > job.sequence.ready) {
				job.sequence.commit(job.ids, job.sequence.ready + 1 + random.int(job.planned - job.sequence.ready));
			}
		},
		extend(job: Live) {
			if (job.planned < job.ids.length) return;
			const wanted = 1 + random.int(40);
			while (job.sequence.room < job.ids.length + wanted) if (!job.sequence.grow()) return;
			for (let i = 0; i < wanted; i++) {
				const stem = random.pick(stems);
				job.ids.push(stem[job.ids.length] ?? random.int(9));
			}
			digests.delete(job.ids);
		},
		release(job: Live) {
			job.sequence.release();
			live.splice(live.indexOf(job), 1);
		},
	};
	const weighted = ['compute', 'compute', 'commit', 'commit', 'extend', 'release'] as const;

	for (let i = 0; i < 100_000; i++) {
		if (live.length === 0 || random.int(8) === 0) operations.open();
		else operations[random.pick(weighted)](random.pick(live));
		if (i % 50 > 0) continue;
		const held = new Map<number, number>();
		for (const {sequence, ids} of live) {
			const row = rowOf(sequence);
			for (const page of row.subarray(0, sequence.pageCount)) held.set(page, (held.get(page) ?? 0) + 1);
			cache.expectReadable(row, ids, sequence.ready);
		}
		const shared = [...held.values()].filter(holders => holders > 1).length;
		const {used, cached, free, total, ...rest} = table.statistics;
		expect({used, ...rest}).toEqual({used: held.size, shared});
		expect(used + cached + free).toBe(total);
		expect(table.available).toBe(cached + free);
	}

	for (const job of [...live]) operations.release(job);
	expect(table.available).toBe(pageCount);
	expect(table.open(count(pageCount * pageTokens - 1, 50_000))).toBeDefined();
}, 60_000);
