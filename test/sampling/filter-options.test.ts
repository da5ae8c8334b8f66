import {describe, expect, it, test} from 'vitest';
import {allowedTexts, type Filter} from '../../lib/sampling/filters.js';
import {parseGenerateOptions} from '../../lib/sampling/options.js';
import {seededRandom} from '../support/random.js';

it('filters are plain data, the same once resolved', () => {
	const filters: Filter[] = [{select: ['yes', 'no', 'né\u{1F642}']}, {prefix: 'n'}];
	const {filters: resolved} = parseGenerateOptions({filters});
	expect(resolved).toEqual(filters);
	expect(JSON.parse(JSON.stringify(resolved))).toEqual(filters);
	expect(parseGenerateOptions({filters: resolved}).filters).toEqual(filters);
	expect(parseGenerateOptions({filters: []}).filters).toEqual([]);
});

const badText = 'a non-empty string of whole characters; got';

test.each([
	[{filters: {select: ['a']}}, 'filters must be a list of filters; got an object'],
	[{filters: [{}]}, 'filters[0] must be either {select} or {prefix}; got an object'],
	[{filters: [{select: ['a'], prefix: 'a'}]}, 'filters[0] must be either {select} or {prefix}; got an object'],
	[{filters: ['a']}, 'filters[0] must be an object; got "a"'],
	[{filters: [{select: []}]}, 'filters[0].select must be a list of at least one string; got a list of 0'],
	[{filters: [{select: 'a'}]}, 'filters[0].select must be a list of strings; got "a"'],
	[{filters: [{select: ['a', '']}]}, `filters[0].select[1] must be ${badText} ""`],
	[{filters: [{select: ['\uD83D']}]}, `filters[0].select[0] must be ${badText} "\\ud83d"`],
	[{filters: [{prefix: 'a'}, {prefix: ''}]}, `filters[1].prefix must be ${badText} ""`],
	[{filters: [{prefix: 5}]}, `filters[0].prefix must be ${badText} 5`],
	[{filters: [{regex: 'a'}]}, expect.stringMatching(/no option "filters\[0\].regex".*select, prefix/)],
	[{filters: [{select: ['yes', 'no']}, {prefix: 'm'}]}, 'filters contradict each other: no text is all that they want'],
])('refuses %j', (input, message) => {
	expect(() => parseGenerateOptions(input)).toThrow(expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message}));
});

describe('several filters leave', () => {
	it.each<[Filter[], {texts: string[]; open: boolean}]>([
		[[{select: ['a', 'b', 'a']}], {texts: ['a', 'b', 'a'], open: false}],
		[[{prefix: 'a'}, {prefix: 'abc'}, {prefix: 'ab'}], {texts: ['abc'], open: true}],
		[[{prefix: 'a'}, {select: ['ab', 'b', 'a']}], {texts: ['ab', 'a'], open: false}],
		[[{select: ['ab', 'b', 'a']}, {prefix: 'ab'}], {texts: ['ab'], open: false}],
		[[{select: ['a', 'b', 'c']}, {select: ['c', 'a', 'd']}], {texts: ['c', 'a'], open: false}],
	])('%j: %j', (filters, left) => expect(allowedTexts(filters)).toEqual(left));

	it('the texts that each of them wants', () => {
		const random = seededRandom(6);
		const words = ['', 'a', 'b'].flatMap(a => ['', 'a', 'b'].flatMap(b => ['', 'a', 'b'].map(c => a + b + c)));
		const some = words.filter(word => word !== '');
		let contradictions = 0;
		for (let run = 0; run < 1000; run++) {
			const filters = Array.from({length: 1 + random.int(3)}, (): Filter => {
				const several = Array.from({length: 1 + random.int(6)}, () => random.pick(some));
				return random.int(2) === 0 ? {select: several} : {prefix: random.pick(some)};
			});
			const wants = (word: string) =>
				filters.every(({select, prefix}) => (select ? select.includes(word) : word.startsWith(prefix)));
			const wanted = words.filter(wants);
			if (wanted.length === 0) {
				contradictions++;
				expect(() => allowedTexts(filters)).toThrow(expect.objectContaining({code: 'EXL_INVALID_ARGUMENT'}));
				continue;
			}
			const {texts, open} = allowedTexts(filters);
			const left = words.filter(word => texts.some(text => (open ? word.startsWith(text) : word === text)));
			expect(left).toEqual(wanted);
		}
		expect(contradictions).toBeGreaterThan(100);
		expect(contradictions).toBeLessThan(900);
	});
});
