import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {GenerateOptions, LoadOptions, Model} from '../../lib/index.js';
import * as exl from '../../lib/index.js';
import {modelsDirectory} from '../support/directory.js';

// Everything a user can call, times every option it takes, times values it must not take. The types of the tables make
// a new function, method or option without a row an error of `npm run typecheck`; the tests compare the names as well.

/** Of each option, values it refuses. */
type Rows<Options> = {readonly [Name in keyof Required<Options>]: readonly unknown[]};
type Inner<Options, Name extends keyof Options> = Rows<NonNullable<Options[Name]>>;

const object = [7, 'x', true, [], [1], new Map(), new Date(), () => {}, Symbol('x')];
const number = [
	Number.NaN,
	Number.POSITIVE_INFINITY,
	Number.NEGATIVE_INFINITY,
	'1',
	'',
	true,
	[],
	[1],
	{},
	5n,
	() => {},
];
const whole = [...number, 0.5, 1e300];
const natural = [...whole, -1, -(2 ** 53), 2 ** 53];
const positive = [...natural, 0];
const fraction = [...number, -0.1, 1.1, -1e300];
const notNegative = [...number, -1, -Number.MIN_VALUE];
const flag = [0, 1, 'true', '', {}, []];
const callback = [7, 'x', {}, [], true];
const signal = [7, 'x', {}, [], true, new EventTarget(), {aborted: false}];
const text = [7, true, {}, [], () => {}];
const list = [7, 'x', true, {}, new Map()];
const ids = [...list, [-1], [1.5], ['1'], [null], [2 ** 31]];
const texts = [...list, [''], [7], [null], ['a', undefined]];
const names = [...text, '', 'nonsense'];

const load: Rows<LoadOptions> = {
	device: [...names, 'gpu', 'cuda:', 'cuda:-1', 'cuda:1000', 'cuda:01', 'CPU'],
	threads: [...positive, 257],
	cache: object,
	maxBatch: [...positive, 257],
	draft: [...text, ''],
	loader: names,
	isolation: names,
	signal,
	onProgress: callback,
	logger: [7, 'x', [], {}, () => {}, {log() {}}, {...console, warn: undefined}],
};
const loadInner = {
	cache: {tokens: [...positive, 2 ** 24 + 1], type: [...names, 'q5', 'fp-16', 'FP16']} satisfies Inner<
		LoadOptions,
		'cache'
	>,
};

const generate: Rows<GenerateOptions> = {
	maxTokens: positive,
	minTokens: natural,
	seed: natural,
	stop: [-1, 1.5, '', true, {}, [''], [-1], [1.5], [null], () => {}, 5n],
	addBos: flag,
	signal,
	temperature: notNegative,
	temperatureLast: flag,
	dynamicTemperature: [...object, {}, {min: 2, max: 1, exponent: 1}],
	smoothingFactor: notNegative,
	skew: number,
	topK: natural,
	topP: fraction,
	topA: fraction,
	minP: fraction,
	tfs: fraction,
	typicalP: fraction,
	mirostat: object,
	xtc: [...object, {}],
	compat: [...names, 'llama.cpp'],
	repetitionPenalty: [...number, 0, -1],
	presencePenalty: number,
	frequencyPenalty: number,
	repetitionRange: [...whole, -2],
	repetitionDecay: natural,
	dry: [...object, {}],
	logitBias: [
		7,
		'x',
		[],
		() => {},
		{a: 1},
		{'-1': 1},
		{1.5: 1},
		{1: Number.NaN},
		{1: '1'},
		{1: 1e39},
		new Map([['1', 1]]),
	],
	allowedTokens: [...ids, []],
	bannedTokens: ids,
	bannedStrings: texts,
	tokenHealing: flag,
	topLogprobs: [...natural, 101],
	returnLogits: flag,
	logitsHook: callback,
	guidance: [...object, {}],
	speculative: [...names, true],
	priority: [...whole, 2 ** 31 + 1, -(2 ** 31) - 1],
	filters: [...list, [7], [{}], [{select: ['a'], prefix: 'b'}], [{select: []}], [{prefix: ''}], [{prefix: '\uD800'}]],
};
const generateInner = {
	dynamicTemperature: {min: notNegative, max: [...number, 0, -1], exponent: notNegative} satisfies Inner<
		GenerateOptions,
		'dynamicTemperature'
	>,
	mirostat: {tau: [...number, 0, -1], eta: notNegative} satisfies Inner<GenerateOptions, 'mirostat'>,
	xtc: {probability: fraction, threshold: fraction} satisfies Inner<GenerateOptions, 'xtc'>,
	dry: {
		multiplier: notNegative,
		base: [...number, 0.5],
		allowedLength: positive,
		range: natural,
		breakers: [...list, [''], [-1], [null], [{}]],
	} satisfies Inner<GenerateOptions, 'dry'>,
	guidance: {scale: number, negativePrompt: ['', 7, [], {}, [-1], ['a'], [() => {}]]} satisfies Inner<
		GenerateOptions,
		'guidance'
	>,
};
/** What has to be there besides. */
const needed: Readonly<Record<string, object>> = {
	dynamicTemperature: {min: 0, max: 1},
	xtc: {probability: 0.5},
	dry: {multiplier: 1},
	guidance: {scale: 1, negativePrompt: 'x'},
};

type Observe = NonNullable<Parameters<Model['generator']['observe']>[0]>;
const observe: Rows<Observe> = {intervalMs: [...number, 0, -1, 2 ** 31], signal};
const watch: Rows<exl.memory.WatchOptions> = {intervalMs: [...number, 0, -1, 2 ** 31], onSample: callback};
const onlySignal: Rows<NonNullable<Parameters<Model['score']>[1]>> = {signal};
const encode: Rows<exl.EncodeOptions> = {addBos: flag, encodeSpecial: flag};
const decode: Rows<exl.DecodeOptions> = {special: flag};

type Call = (options: never) => unknown;
type Takes = {
	readonly call: Call;
	readonly rows: Readonly<Record<string, readonly unknown[]>>;
	readonly inner?: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>>;
	/** What else has to be given. */
	readonly base?: object;
};

/** A stream, a promise or a function that throws: whatever it does, its errors are one kind. */
async function errorOf(call: () => unknown): Promise<unknown> {
	try {
		const given = await call();
		if (given && typeof given === 'object' && 'result' in given) await given.result;
		else if (given && typeof given === 'object' && Symbol.asyncIterator in given) {
			for await (const _ of given as AsyncIterable<unknown>) break;
		}
		if (typeof given === 'function') given();
		return undefined;
	} catch (error) {
		return error;
	}
}

async function expectRefused({call, rows, inner = {}, base = {}}: Takes): Promise<void> {
	const refused = async (name: string, options: unknown) => {
		const error = await errorOf(() => call(options as never));
		const given = JSON.stringify(options, (_, value) => (typeof value === 'object' && value ? value : String(value)));
		expect(error, `${name}: ${given}`).toMatchObject({name: 'ExlError', code: 'EXL_INVALID_ARGUMENT'});
		return (error as Error & {op?: string}).message;
	};
	for (const options of [null, ...object]) expect(await refused('options', options)).toMatch(/must be an object; got /);
	const table = [
		['', rows, (fields: object) => ({...base, ...fields})] as const,
		...Object.entries(inner).map(
			([name, fields]) =>
				[`${name}.`, fields, (more: object) => ({...base, [name]: {...needed[name], ...more}})] as const,
		),
	];
	for (const [prefix, fields, make] of table) {
		for (const [name, values] of Object.entries(fields)) {
			for (const value of [null, ...values]) {
				expect(await refused(prefix + name, make({[name]: value}))).toMatch(
					new RegExp(`^(?:filters contradict|${prefix}${name}\\b)`),
				);
			}
			const almost = `${name}${name.at(-1)}`;
			expect(await refused(almost, make({[almost]: 1}))).toContain(
				`no option "${prefix}${almost}"; did you mean "${name}"?`,
			);
		}
		const unknown = await refused('unknown', make({'@': 1}));
		expect(unknown.split('; it takes ')[1]?.split(', ').sort()).toEqual(Object.keys(fields).sort());
	}
}

const hello = [{role: 'user', content: 'Hi'}];
const directory = join(modelsDirectory, 'tinystories-656k-exl2');
let model: Model;
const either = {none: undefined as unknown as Model, process: undefined as unknown as Model};

beforeAll(async () => {
	for (const isolation of ['none', 'process'] as const) {
		either[isolation] = await exl.loadModel(directory, {device: 'cpu', threads: 1, isolation});
	}
	model = either.none;
});
afterAll(() => Promise.all(Object.values(either).map(loaded => loaded.dispose())));

describe('options', () => {
	test.each<[string, Takes]>([
		['loadModel()', {call: options => exl.loadModel('/nowhere', options), rows: load, inner: loadInner}],
		['checkLoadOptions()', {call: exl.checkLoadOptions, rows: load, inner: loadInner}],
		['checkGenerateOptions()', {call: exl.checkGenerateOptions, rows: generate, inner: generateInner}],
		['generator.observe()', {call: options => model.generator.observe(options), rows: observe}],
		['tokenizer.encode()', {call: options => model.tokenizer.encode('a', options), rows: encode}],
		['tokenizer.decode()', {call: options => model.tokenizer.decode([1], options), rows: decode}],
		['memory.watch()', {call: exl.memory.watch, rows: watch, base: {intervalMs: 1e6, onSample: () => {}}}],
	])('of %s', (_, takes) => expectRefused(takes));

	describe.each(['none', 'process'] as const)('of a model with isolation %s', isolation => {
		test.each<[string, (loaded: Model) => Takes]>([
			['generate()', m => ({call: o => m.generate('Once', o), rows: generate, inner: generateInner})],
			['complete()', m => ({call: o => m.complete('Once', o), rows: generate, inner: generateInner})],
			['chat()', m => ({call: o => m.chat(hello, o), rows: generate, inner: generateInner})],
			['score()', m => ({call: o => m.score([1, 2], o), rows: onlySignal})],
			['logits()', m => ({call: o => m.logits([1, 2], o), rows: onlySignal})],
			['observe()', m => ({call: o => m.generator.observe(o), rows: observe})],
		])('%s', (_, takes) => expectRefused(takes(either[isolation])));
	});
});

/** Of each argument that is no object of options, calls with values it must not take. */
type Wrong = {readonly call: (value: never) => unknown; readonly values: readonly unknown[]; readonly message: RegExp};

const paths = [undefined, null, '', ...text];
const prompts = [
	undefined,
	null,
	7,
	true,
	{},
	[],
	[-1],
	[1.5],
	['a'],
	[null],
	[1e9],
	new Array(3),
	new Map(),
	() => {},
];
const oneId = [undefined, null, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e9, '1', 'length', {}, [], 5n];
const conversations = [undefined, null, 'Hi', 7, {}, [], [7], [{}], [{role: 'user'}], [{role: 7, content: 'a'}]];
const disposables = [undefined, null, 7, 'x', {}, {dispose: 7}];
const events = [undefined, null, 7, '', 'leek', 'error', {}];

const ofModules: {readonly [Name in keyof typeof exl.memory]: readonly Wrong[]} = {
	snapshot: [],
	liveBuffers: [],
	table: [],
	metrics: [],
	trim: [],
	watch: [],
	on: [
		{call: event => exl.memory.on(event, () => {}), values: events, message: /^event must be 'leak'; got /},
		{call: listener => exl.memory.on('leak', listener), values: [undefined, ...callback], message: /^listener must be/},
	],
	off: [
		{call: event => exl.memory.off(event, () => {}), values: events, message: /^event must be 'leak'; got /},
		{call: listener => exl.memory.off('leak', listener), values: [undefined, ...callback], message: /^listener must/},
	],
	trackStacks: [
		{call: exl.memory.trackStacks, values: [undefined, null, ...flag], message: /^on must be true or false/},
	],
	scope: [{call: exl.memory.scope, values: [undefined, ...callback], message: /^work must be a function/}],
};

const ofScope: {readonly [Name in 'add' | 'keep']: readonly Wrong[]} = {
	add: [{call: o => exl.memory.scope(s => s.add(o)), values: disposables, message: /^object must be an object with/}],
	keep: [{call: o => exl.memory.scope(s => s.keep(o)), values: disposables, message: /^object must be an object with/}],
};

/** What is not here is a class or a group of functions with tests of its own, or takes anything there is. */
type Functions = Exclude<
	keyof typeof exl,
	'memory' | 'ops' | 'Tensor' | 'KvCache' | 'QuantMatrix' | 'ExlError' | 'isExlError'
>;
const ofIndex: {readonly [Name in Functions]: readonly Wrong[]} = {
	loadModel: [
		{call: exl.loadModel, values: paths, message: /a directory or org\/name/},
		{call: name => exl.loadModel(name, {isolation: 'process'}), values: paths, message: /a directory or org\/name/},
	],
	inspectModel: [{call: exl.inspectModel, values: paths, message: /a directory or org\/name/}],
	checkLoadOptions: [],
	checkGenerateOptions: [],
	listDevices: [],
	listBackends: [],
	systemInfo: [],
};

const ofModels = (m: Model): {readonly [Name in keyof Model]: readonly Wrong[]} => {
	const prompt = {values: prompts, message: /prompt/};
	return {
		generate: [{call: value => m.generate(value), ...prompt}],
		complete: [{call: value => m.complete(value), ...prompt}],
		score: [{call: value => m.score(value), ...prompt}],
		logits: [{call: value => m.logits(value), ...prompt}],
		chat: [{call: value => m.chat(value), values: conversations, message: /^messages/}],
		dispose: [{call: value => m.dispose.call(value), values: [{}, [], () => {}], message: /something else/}],
		...{tokenizer: [], architecture: [], contextTokens: [], cacheTokens: [], loader: [], device: [], generator: []},
		diagnostics: [],
		[Symbol.asyncDispose]: [],
	};
};

const ofTokenizers = (t: exl.Tokenizer): {readonly [Name in keyof exl.Tokenizer]: readonly Wrong[]} => {
	const id = {values: oneId, message: /^token ids must be whole numbers from 0 to \d+; got /};
	return {
		encode: [
			{call: value => t.encode(value), values: [undefined, null, ...text], message: /^text must be a string; got /},
		],
		encodeWhere: [
			{
				call: value => t.encodeWhere(value, () => true),
				values: [undefined, null, ...text],
				message: /^text must be a string; got /,
			},
			{call: value => t.encodeWhere('x', value), values: [null, ...callback], message: /^isSpecial must be a function/},
			{call: value => t.encodeWhere('x', () => true, value), values: flag, message: /^addBos must be true or false/},
		],
		specialIdsOf: [
			{
				call: value => t.specialIdsOf(value),
				values: [undefined, null, ...text],
				message: /^text must be a string; got /,
			},
		],
		decode: [
			{call: value => t.decode(value), values: [undefined, null, ...list], message: /^ids must be a list of token ids/},
			{call: value => t.decode([value]), ...id},
		],
		idToPiece: [{call: value => t.idToPiece(value), ...id}],
		localPiece: [{call: value => t.localPiece(value), ...id}],
		shows: [
			{call: value => t.shows(value, true), ...id},
			{call: value => t.shows(1, value), values: [undefined, null, ...flag], message: /^special must be true or false/},
		],
		...{vocabSize: [], bosId: [], eosIds: [], texts: []},
	};
};

describe('arguments', () => {
	async function expectAllRefused(table: Readonly<Record<string, readonly Wrong[]>>): Promise<void> {
		for (const [name, wrongs] of Object.entries(table)) {
			for (const {call, values, message} of wrongs) {
				for (const [i, value] of values.entries()) {
					const error = await errorOf(() => call(value as never));
					const what = `${name}, value ${i}`;
					expect(error, what).toMatchObject({name: 'ExlError', code: 'EXL_INVALID_ARGUMENT'});
					expect((error as Error).message, what).toMatch(message);
				}
			}
		}
	}

	test('of functions', () => expectAllRefused(ofIndex));
	test('of memory', () => expectAllRefused({...ofModules, ...ofScope}));
	test('of models', () => expectAllRefused(ofModels(either.none)));
	test('of isolated models', () => expectAllRefused(ofModels(either.process)));
	test('of tokenizers', () => expectAllRefused(ofTokenizers(model.tokenizer)));
});

describe('what can be called', () => {
	const methods = (value: object) =>
		Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(value)))
			.filter(([name, {value: method}]) => name !== 'constructor' && typeof method === 'function')
			.map(([name]) => name);

	test('is in these tables', () => {
		const tested = (table: object) => Object.keys(table).sort();
		expect(Object.keys(exl.memory).sort()).toEqual(tested(ofModules));
		const elsewhere = ['memory', 'ops', 'Tensor', 'KvCache', 'QuantMatrix', 'ExlError', 'isExlError'];
		expect(
			Object.keys(exl)
				.filter(name => !elsewhere.includes(name))
				.sort(),
		).toEqual(tested(ofIndex));
		// continue() is for the process of an isolated model, and takes what was checked.
		expect(
			methods(either.none)
				.filter(name => name !== 'continue')
				.sort(),
		).toEqual(methods(either.process).sort());
		for (const name of methods(either.process)) expect(tested(ofModels(model))).toContain(name);
		for (const name of methods(model.tokenizer)) expect(tested(ofTokenizers(model.tokenizer))).toContain(name);
		expect(methods(model.generator).sort()).toEqual(['observe', 'snapshot']);
		expect(methods(model.generate('Once')).sort()).toEqual(['leave', 'pipe', 'text']);
	});
});
