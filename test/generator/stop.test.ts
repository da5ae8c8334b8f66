import {expect, test} from 'vitest';
import {StopMatcher} from '../../lib/generator/stop.js';
import {seededRandom} from '../support/random.js';

/** Shows the whole text, as the matcher's documentation defines it, one character after the other. */
function naive(text: string, stops: readonly string[]): {text: string; stopped: boolean} {
	for (let end = 1; end <= text.length; end++) {
		const seen = text.slice(0, end);
		const met = stops.filter(stop => seen.endsWith(stop)).sort((a, b) => b.length - a.length)[0];
		if (met !== undefined) return {text: seen.slice(0, -met.length), stopped: true};
	}
	return {text, stopped: false};
}

function matched(pieces: readonly string[], stops: readonly string[]) {
	const matcher = new StopMatcher(stops);
	const outputs = pieces.map(piece => matcher.push(piece));
	return {text: outputs.map(o => o.text).join('') + matcher.flush(), stopped: outputs.some(o => o.stopped)};
}

test('agrees with a naive search however the text is cut', () => {
	const random = seededRandom(2);
	const alphabets = [
		['a', 'b'],
		['a', 'b', '\n', ' '],
		['🙂', '🙃', 'é', '好'],
	];
	for (let run = 0; run < 5000; run++) {
		const alphabet = random.pick(alphabets);
		const word = (most: number) => Array.from({length: 1 + random.next() * most}, () => random.pick(alphabet)).join('');
		const stops = Array.from({length: random.next() * 4}, () => word(5));
		const pieces = Array.from({length: random.next() * 12}, () => (random.next() < 0.1 ? '' : word(4)));
		expect(matched(pieces, stops), JSON.stringify({pieces, stops})).toEqual(naive(pieces.join(''), stops));
	}
});

test('holds back only what may begin a stop string', () => {
	const matcher = new StopMatcher(['User:', '\n\n']);
	expect(matcher.push('Hello U')).toEqual({text: 'Hello ', stopped: false});
	expect(matcher.push('s')).toEqual({text: '', stopped: false});
	expect(matcher.push('es\n')).toEqual({text: 'Uses', stopped: false});
	expect(matcher.push('Us')).toEqual({text: '\n', stopped: false});
	expect(matcher.push('er: x')).toEqual({text: '', stopped: true});
	expect(matcher.push('more')).toEqual({text: '', stopped: true});
	expect(matcher.flush()).toBe('');
});

test('of stop strings that end together, the longest counts', () => {
	expect(matched(['xabc'], ['bc', 'abc'])).toEqual({text: 'x', stopped: true});
	expect(matched(['xab', 'c'], ['bc', 'abc', 'c'])).toEqual({text: 'x', stopped: true});
});

test('without stop strings nothing is held back', () => {
	expect(new StopMatcher([]).push('anything')).toEqual({text: 'anything', stopped: false});
});

test('flush gives what was held back', () => {
	const matcher = new StopMatcher(['</s>']);
	expect(matcher.push('a </')).toEqual({text: 'a ', stopped: false});
	expect(matcher.flush()).toBe('</');
	expect(matcher.flush()).toBe('');
});
