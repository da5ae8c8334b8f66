import {expect, test} from 'vitest';
import {parseGenerateOptions} from '../../lib/sampling/options.js';

const defaults = {
	temperature: 0.8,
	topK: 50,
	topP: 0.8,
	minP: 0,
	repetitionPenalty: 1.025,
	stop: {strings: [], ids: []},
};

test('defaults', () => {
	expect(parseGenerateOptions()).toEqual(defaults);
	expect(parseGenerateOptions({})).toEqual(defaults);
	expect(parseGenerateOptions({temperature: undefined, maxTokens: undefined})).toEqual(defaults);
});

test('greedy is free of penalties unless one is given', () => {
	expect(parseGenerateOptions({temperature: 0})).toEqual({...defaults, temperature: 0, repetitionPenalty: 1});
	expect(parseGenerateOptions({temperature: 0, repetitionPenalty: 1.1}).repetitionPenalty).toBe(1.1);
	expect(parseGenerateOptions({temperature: 0, repetitionPenalty: undefined}).repetitionPenalty).toBe(1);
});

test('everything at once', () => {
	const {signal} = new AbortController();
	const options = {
		maxTokens: 1,
		temperature: 0,
		topK: 0,
		topP: 1,
		minP: 0.1,
		repetitionPenalty: 1,
		seed: 0,
		addBos: false,
		signal,
	};
	expect(parseGenerateOptions({...options, stop: ['a', 2, 'b']})).toEqual({
		...options,
		stop: {strings: ['a', 'b'], ids: [2]},
	});
	expect(parseGenerateOptions({signal}).signal).toBe(signal);
	expect(parseGenerateOptions({stop: 'x'}).stop).toEqual({strings: ['x'], ids: []});
	expect(parseGenerateOptions({stop: 0}).stop).toEqual({strings: [], ids: [0]});
});

test.each([
	[{temperature: -1}, 'temperature must be a number of at least 0; got -1'],
	[{temperature: Number.NaN}, 'temperature must be a number of at least 0; got NaN'],
	[{temperature: '0.5'}, 'temperature must be a number of at least 0; got "0.5"'],
	[{temperature: null}, 'temperature must be a number of at least 0; got null'],
	[{temperature: Number.POSITIVE_INFINITY}, 'temperature must be a number of at least 0; got Infinity'],
	[{maxTokens: 0}, 'maxTokens must be a whole number of at least 1; got 0'],
	[{maxTokens: 1.5}, 'maxTokens must be a whole number of at least 1; got 1.5'],
	[{topK: -1}, 'topK must be a whole number of at least 0; got -1'],
	[{topP: 1.01}, 'topP must be a number from 0 to 1; got 1.01'],
	[{minP: -0.1}, 'minP must be a number from 0 to 1; got -0.1'],
	[{repetitionPenalty: 0}, 'repetitionPenalty must be a number above 0; got 0'],
	[{seed: 2 ** 53}, 'seed must be a whole number of at least 0; got 9007199254740992'],
	[{stop: ''}, 'stop must be a non-empty string, a token id, or a list of these; got ""'],
	[{stop: ['a', {}]}, 'stop must be a non-empty string, a token id, or a list of these; got a list of 2'],
	[{addBos: 1}, 'addBos must be true or false; got 1'],
	[{signal: {}}, 'signal must be an AbortSignal; got an object'],
	[{max_tokens: 5}, 'generate() has no option "max_tokens"; did you mean "maxTokens"?'],
	[{temprature: 5}, 'generate() has no option "temprature"; did you mean "temperature"?'],
	[{top_p: 5}, 'generate() has no option "top_p"; did you mean "topP"?'],
	[{nonsense: 5}, expect.stringContaining('it takes maxTokens, temperature, topK')],
	[7, 'the argument of generate() must be an object; got 7'],
	[null, 'the argument of generate() must be an object; got null'],
])('refuses %j', (input, message) => {
	expect(() => parseGenerateOptions(input)).toThrow(expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message}));
});
