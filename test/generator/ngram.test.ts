import {expect, it} from 'vitest';
import {NgramDrafter} from '../../lib/generator/ngram.js';
import {SuffixAutomaton} from '../../lib/generator/suffix-automaton.js';
import {seededRandom} from '../support/random.js';

/** The longest end of `ids` that is also somewhere before, by trying all. */
function naiveRepeat(ids: readonly number[]): number {
	for (let length = ids.length - 1; length > 0; length--) {
		const end = ids.slice(-length).join();
		for (let at = 0; at + length < ids.length; at++) if (ids.slice(at, at + length).join() === end) return length;
	}
	return 0;
}

it.each([2, 3, 10])('finds the longest repetition in random lists of %i tokens', tokens => {
	const random = seededRandom(tokens);
	for (let round = 0; round < 30; round++) {
		const ids: number[] = [];
		const automaton = new SuffixAutomaton();
		for (let i = 0; i < 60; i++) {
			ids.push(random.int(tokens));
			automaton.push(ids[i]!);
			const {length, end} = automaton.repeat;
			expect(length).toBe(naiveRepeat(ids));
			if (length === 0) continue;
			expect(end).toBeLessThan(i);
			expect(ids.slice(end + 1 - length, end + 1)).toEqual(ids.slice(i + 1 - length));
		}
	}
});

it('stays small over a long text', () => {
	const random = seededRandom(1);
	const automaton = new SuffixAutomaton();
	for (let i = 0; i < 50_000; i++) automaton.push(random.int(40));
	expect(automaton.size).toBe(50_000);
});

const strand = (ids: number[]) => ({ids, sequence: undefined, row: 0, planned: 0});

it('guesses what followed the last time, as far as the repetition is long', () => {
	const drafter = new NgramDrafter();
	expect(drafter.draft(strand([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2]), 10)).toEqual([3, 4, 5, 6]);
	expect(drafter.draft(strand([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]), 2)).toEqual([4, 5]);
	expect(new NgramDrafter().draft(strand([5, 6, 7, 5]), 10)).toEqual([]);
});

it('notices that tokens were taken back', () => {
	const drafter = new NgramDrafter();
	drafter.draft(strand([1, 2, 3, 1, 2, 3, 1]), 4);
	expect(drafter.draft(strand([1, 2, 3, 1, 2]), 1)).toEqual([3]);
	expect(drafter.draft(strand([1, 2, 3, 9, 9, 2, 3]), 1)).toEqual([9]);
});
