import {expect, test} from 'vitest';
import {duration, Pace} from '../../lib/cli/progress.js';

test('the pace is that of the last ten seconds', () => {
	const pace = new Pace();
	expect(pace.of(0, 0)).toBeUndefined();
	expect(pace.of(500, 500)).toBeUndefined();
	expect(pace.of(1000, 1000)).toBe(1000);
	// What was there already counts for ten seconds only.
	for (let at = 1100; at <= 30_000; at += 100) pace.of(1e9 + at * 2, at);
	expect(pace.of(1e9 + 60_200, 30_100)).toBeCloseTo(2000);
});

test('nothing comes: nobody can say how long', () => {
	const pace = new Pace();
	pace.of(7, 0);
	expect(pace.of(7, 5000)).toBeUndefined();
});

test.each([
	[0.2, '1 s'],
	[59, '59 s'],
	[190, '3 min 10 s'],
	[7500, '2 h 5 min'],
])('%d seconds are %s', (seconds, text) => {
	expect(duration(seconds)).toBe(text);
});
