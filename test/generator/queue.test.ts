import {describe, expect, it} from 'vitest';
import {Pace} from '../../lib/generator/pace.js';
import {Queue} from '../../lib/generator/queue.js';

describe('the queue', () => {
	/** Things that need so much of what is free. */
	function setup(free: number) {
		const queue = new Queue();
		const started: string[] = [];
		const place = {free};
		let serial = 0;
		const add = (name: string, needs: number, priority = 0) => {
			const admit = () => {
				if (needs > place.free) return false;
				place.free -= needs;
				started.push(name);
				return true;
			};
			queue.add({priority, serial: ++serial, admit});
		};
		return {queue, started, place, add};
	}

	it('lets in by priority, then in the order of arrival', () => {
		const {queue, started, add} = setup(9);
		add('a', 1);
		add('b', 1, 1);
		add('c', 1);
		add('d', 1, 1);
		queue.admit();
		expect(started).toEqual(['b', 'd', 'a', 'c']);
		expect(queue.length).toBe(0);
	});

	it('lets small ones overtake a large one four times, and then waits for it', () => {
		const {queue, started, place, add} = setup(1);
		add('large', 5);
		for (const name of ['a', 'b', 'c', 'd', 'e']) {
			add(name, 1);
			queue.admit();
			place.free = 1;
		}
		expect(started).toEqual(['a', 'b', 'c', 'd']);
		place.free = 6;
		queue.admit();
		expect(started).toEqual(['a', 'b', 'c', 'd', 'large', 'e']);
	});
});

describe('the pace', () => {
	it('gives prompts whole steps when nobody streams', () => {
		expect(new Pace().promptRows(0, 256)).toBe(256);
	});

	it('learns how many rows make a step half as long again', () => {
		const pace = new Pace();
		for (let i = 0; i < 30; i++) {
			pace.observe(10, 8, 0);
			const rows = pace.promptRows(8, 256);
			// 10 ms, and half a millisecond for each row.
			pace.observe(10 + 0.5 * rows, 8, rows);
		}
		const rows = pace.promptRows(8, 256);
		expect(10 + 0.5 * rows).toBeLessThan(16);
		expect(10 + 0.5 * rows).toBeGreaterThan(14);
	});

	it('does not take the growth of those who stream for the cost of a prompt', () => {
		const pace = new Pace();
		let stepMs = 10;
		for (let i = 0; i < 1000; i++, stepMs += 0.02) {
			const rows = pace.promptRows(8, 256);
			pace.observe(stepMs + 0.5 * rows, 8, rows);
		}
		// A step takes 30 ms by now, and half of that may be added.
		const rows = Math.max(
			...Array.from({length: 10}, () => {
				const rows = pace.promptRows(8, 256);
				pace.observe(stepMs + 0.5 * rows, 8, rows);
				return rows;
			}),
		);
		expect(rows * 0.5).toBeGreaterThan(12);
		expect(rows * 0.5).toBeLessThan(18);
	});

	it('is not taken in by steps in which others use the machine', () => {
		const pace = new Pace();
		for (let i = 0; i < 30; i++) pace.observe(i < 24 ? 10 : 20, 8, 0);
		const counts = Array.from({length: 200}, (_, i) => {
			const rows = pace.promptRows(8, 256);
			pace.observe((i % 50 < 10 ? 20 : 10) + 0.5 * rows, 8, rows);
			return rows;
		});
		// Even where the machine is twice as fast as it was, no step takes more than 2.5 times what is usual then.
		expect(Math.max(...counts)).toBeLessThanOrEqual(30);
		expect(Math.max(...counts.slice(30))).toBeLessThanOrEqual(11);
		expect(counts.filter(rows => rows > 5).length).toBeGreaterThan(100);
	});

	it('does not take rows among streams to be as cheap as those of a step that is all prompt', () => {
		const pace = new Pace();
		for (let i = 0; i < 30; i++) pace.observe(10, 8, 0);
		for (let i = 0; i < 30; i++) pace.observe(25, 0, 256);
		const counts = Array.from({length: 40}, () => {
			const rows = pace.promptRows(8, 256);
			pace.observe(10 + 0.5 * rows, 8, rows);
			return rows;
		});
		expect(Math.max(...counts)).toBe(10);
	});

	it('is not taken in by a step whose rows seem to cost next to nothing', () => {
		for (const seeming of [0, 1e-6, 0.05]) {
			const pace = new Pace();
			for (let i = 0; i < 30; i++) pace.observe(10, 8, 0);
			pace.observe(10 + seeming, 8, pace.promptRows(8, 256));
			const counts = Array.from({length: 40}, () => {
				const rows = pace.promptRows(8, 256);
				pace.observe(10 + 0.5 * rows, 8, rows);
				return rows;
			});
			expect(Math.max(...counts), `after ${seeming} ms`).toBeLessThanOrEqual(10);
		}
	});

	it('soon lets in as many as there may be if they cost next to nothing', () => {
		const pace = new Pace();
		for (let i = 0; i < 30; i++) pace.observe(10, 8, 0);
		let rows = 0;
		for (let i = 0; i < 12; i++) {
			rows = Math.max(rows, pace.promptRows(8, 256));
			pace.observe(i % 2 ? 9.9 : 10.1, 8, pace.promptRows(8, 256));
		}
		expect(rows).toBe(256);
	});

	it('always lets a few rows in', () => {
		const pace = new Pace();
		pace.observe(1, 8, 0);
		pace.observe(500, 8, 16);
		expect(pace.promptRows(8, 256)).toBe(2);
		expect(pace.promptRows(8, 1)).toBe(1);
	});
});
