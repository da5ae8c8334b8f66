import {expect, test} from 'vitest';
import {parseGenerateOptions} from '../../lib/sampling/options.js';

const off = {
	minTokens: 0,
	temperatureLast: false,
	smoothingFactor: 0,
	skew: 0,
	topA: 0,
	tfs: 1,
	typicalP: 1,
	presencePenalty: 0,
	frequencyPenalty: 0,
	repetitionRange: -1,
	repetitionDecay: 0,
	bannedStrings: [],
	tokenHealing: false,
	returnLogits: false,
	priority: 0,
};

const defaults = {
	...off,
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
		minTokens: 1,
		temperature: 0,
		temperatureLast: true,
		dynamicTemperature: {min: 0.5, max: 0.5, exponent: 0},
		smoothingFactor: 0.2,
		skew: -1,
		topK: 0,
		topP: 1,
		topA: 0.2,
		minP: 0.1,
		tfs: 0,
		typicalP: 0.9,
		mirostat: {tau: 5, eta: 0},
		xtc: {probability: 0.5, threshold: 0},
		compat: 'exllamav2' as const,
		repetitionPenalty: 1,
		presencePenalty: -1,
		frequencyPenalty: 0.5,
		repetitionRange: 0,
		repetitionDecay: 7,
		dry: {multiplier: 0, base: 1, allowedLength: 1, range: 3, breakers: ['a', 0]},
		logitBias: {5: -1.5},
		allowedTokens: [1, 2],
		bannedTokens: [2],
		bannedStrings: ['no'],
		tokenHealing: true,
		topLogprobs: 3,
		returnLogits: true,
		logitsHook: () => {},
		guidance: {scale: 1.5, negativePrompt: 'bad'},
		speculative: 'ngram' as const,
		priority: -2,
		seed: 0,
		addBos: false,
		signal,
	};
	expect(parseGenerateOptions({...options, stop: ['a', 2, 'b']})).toEqual({
		...options,
		stop: {strings: ['a', 'b'], ids: [2]},
	});
	// What is resolved is sent to the process of an isolated model, which checks it again.
	const {stop, ...resolved} = parseGenerateOptions(options);
	expect(parseGenerateOptions(resolved)).toEqual({...resolved, stop});
	expect(parseGenerateOptions({signal}).signal).toBe(signal);
	expect(parseGenerateOptions({stop: 'x'}).stop).toEqual({strings: ['x'], ids: []});
	expect(parseGenerateOptions({stop: 0}).stop).toEqual({strings: [], ids: [0]});
});

test('defaults of settings that are objects', () => {
	const {dry, xtc, mirostat, dynamicTemperature} = parseGenerateOptions({
		dry: {multiplier: 0.8},
		xtc: {probability: 0.5},
		mirostat: {},
		dynamicTemperature: {min: 0, max: 2},
	});
	expect(dry).toEqual({multiplier: 0.8, base: 1.75, allowedLength: 2, range: 0});
	expect(xtc).toEqual({probability: 0.5, threshold: 0.1});
	expect(mirostat).toEqual({tau: 1.5, eta: 0.1});
	expect(dynamicTemperature).toEqual({min: 0, max: 2, exponent: 1});
});

test('a bias is an object or a Map', () => {
	expect(parseGenerateOptions({logitBias: new Map([[3, 1.5]])}).logitBias).toEqual({3: 1.5});
	expect(parseGenerateOptions({logitBias: {}}).logitBias).toEqual({});
});

const badBias = 'logitBias must be an object or a Map from token ids to numbers; got ';

test.each([
	[{logitBias: {a: 1}}, `${badBias}an object`],
	[{logitBias: {'': 1}}, `${badBias}an object`],
	[{logitBias: {'-1': 1}}, `${badBias}an object`],
	[{logitBias: {1: Number.NEGATIVE_INFINITY}}, `${badBias}an object`],
	[{logitBias: new Map([['1', 1]])}, `${badBias}a Map`],
	[{logitBias: [1]}, `${badBias}a list of 1`],
	[{allowedTokens: []}, 'allowedTokens must be a list of at least one token id; got a list of 0'],
	[{allowedTokens: 5}, 'allowedTokens must be a list of token ids; got 5'],
	[{bannedTokens: [1, -1]}, 'bannedTokens[1] must be a whole number from 0 to 2147483647; got -1'],
	[
		{allowedTokens: [1, 2], bannedTokens: [2, 3, 1]},
		'allowedTokens must have a token that is not in bannedTokens, or nothing can be drawn',
	],
	[{minTokens: 8, maxTokens: 5}, 'minTokens must be at most maxTokens, which is 5; got 8'],
	[{minTokens: -1}, 'minTokens must be a whole number of at least 0; got -1'],
	[{dynamicTemperature: {min: 2, max: 1}}, 'dynamicTemperature.min must be at most max, which is 1; got 2'],
	[{dynamicTemperature: {min: 0, max: 0}}, 'dynamicTemperature.max must be a number above 0; got 0'],
	[{dynamicTemperature: {max: 1}}, 'dynamicTemperature.min of generate() is missing'],
	[{xtc: {probability: 2}}, 'xtc.probability must be a number from 0 to 1; got 2'],
	[{dry: true}, 'dry must be an object; got true'],
	[{dry: {multiplier: 1, base: 0.5}}, 'dry.base must be a number of at least 1; got 0.5'],
	[{dry: {multiplier: 1, allowedLength: 0}}, 'dry.allowedLength must be a whole number of at least 1; got 0'],
	[{dry: {multiplier: 1, breakers: ['a', '']}}, 'dry.breakers[1] must be a non-empty string or a token id; got ""'],
	[{mirostat: {tau: 0}}, 'mirostat.tau must be a number above 0; got 0'],
	[{repetitionRange: -2}, 'repetitionRange must be a whole number of at least -1; got -2'],
	[{frequencyPenalty: Number.NaN}, 'frequencyPenalty must be a number; got NaN'],
	[{smoothingFactor: -1}, 'smoothingFactor must be a number of at least 0; got -1'],
	[{compat: 'llama.cpp'}, 'compat must be \'exllamav2\'; got "llama.cpp"'],
	[{typicalP: 1.5}, 'typicalP must be a number from 0 to 1; got 1.5'],
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
	[{temp: 5}, 'generate() has no option "temp"; did you mean "temperature"?'],
	[{top_p: 5}, 'generate() has no option "top_p"; did you mean "topP"?'],
	[{nonsense: 5}, expect.stringContaining('it takes maxTokens, minTokens, temperature')],
	[7, 'the options of generate() must be an object; got 7'],
	[[], 'the options of generate() must be an object; got a list of 0'],
	[new Map(), 'the options of generate() must be an object; got a Map'],
	[new AbortController().signal, 'the options of generate() must be an object; got an AbortSignal'],
	[{toString: 1}, expect.stringContaining('generate() has no option "toString"')],
	[{dry: []}, 'dry must be an object; got a list of 0'],
	[{xtc: {propability: 1}}, 'generate() has no option "xtc.propability"; did you mean "probability"?'],
	[{filters: [{selekt: ['a']}]}, 'generate() has no option "filters[0].selekt"; did you mean "select"?'],
	[{logitsHook: 1}, 'logitsHook must be a function; got 1'],
	[{speculative: 'n-gram'}, 'speculative must be \'draft\', \'ngram\' or false; got "n-gram"; did you mean "ngram"?'],
	[
		{guidance: {scale: 1, negativePrompt: [1, -1]}},
		'guidance.negativePrompt must be a non-empty string or list of token ids; got a list of 2',
	],
	[null, 'the options of generate() must be an object; got null'],
])('refuses %j', (input, message) => {
	expect(() => parseGenerateOptions(input)).toThrow(expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message}));
});
