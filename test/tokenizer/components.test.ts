import {readFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {AddedTokens} from '../../lib/tokenizer/added-tokens.js';
import {Encoder} from '../../lib/tokenizer/encoder.js';
import type {TokenizerJson} from '../../lib/tokenizer/files.js';
import {createLibrary} from '../../lib/tokenizer/library.js';

// Each part of a tokenizer against what the Rust library makes of the same texts.

type Part = {readonly type: string};
type Components = {
	readonly texts: readonly string[];
	readonly preTokenizers: readonly [Part, string[][]][];
	readonly normalizers: readonly [Part, string[]][];
	readonly tokens: readonly string[][];
	readonly decoders: readonly [Part, string[]][];
	readonly addedTokens: readonly [Partial<TokenizerJson>, [string, number[]][]][];
};

const components: Components = JSON.parse(readFileSync(path.join(__dirname, 'components.json'), 'utf8'));
const {texts, tokens} = components;

const json = (parts: Partial<TokenizerJson>): TokenizerJson => ({
	added_tokens: [],
	normalizer: null,
	pre_tokenizer: null,
	post_processor: null,
	decoder: null,
	// A merge into a space, so that words are not cut before they are merged.
	model: {type: 'BPE', vocab: {}, merges: ['a ▁']},
	...parts,
});
const library = (parts: Partial<TokenizerJson>) => createLibrary(json(parts), {});
const named = <Rest extends unknown[]>(cases: readonly (readonly [Part, ...Rest])[]) =>
	cases.map(([part, ...rest]) => [JSON.stringify(part), part, ...rest] as const);

describe('pre-tokenizer', () => {
	test.each(named(components.preTokenizers))('%s', (_, part, expected) => {
		const {pre_tokenizer: run} = library({pre_tokenizer: part});
		expect(texts.map(text => (text === '' ? [] : run!(text, {section_index: 0})))).toEqual(expected);
	});
});

describe('normalizer', () => {
	test.each(named(components.normalizers))('%s', (_, part, expected) => {
		const {normalizer: run} = library({normalizer: part});
		expect(texts.map(text => (text === '' ? '' : run!(text)))).toEqual(expected);
	});
});

describe('decoder', () => {
	test.each(named(components.decoders))('%s', (_, part, expected) => {
		const {decoder} = library({decoder: part});
		expect(tokens.map(list => decoder!.decode(list))).toEqual(expected);
	});
});

test.each(components.addedTokens.map(([parts, rows], i) => [i, parts, rows] as const))(
	'added tokens %i',
	(_, parts, rows) => {
		const encoder = new Encoder(library(parts), json(parts));
		expect(rows.map(([text]) => [text, encoder.encode(text, true)])).toEqual(rows);
	},
);

test('a lot of white space before a token that takes it in, and at an end that is cut off', () => {
	const spaces = ' '.repeat(300_000);
	const token = {
		id: 0,
		content: '<b>',
		special: true,
		normalized: false,
		single_word: false,
		lstrip: true,
		rstrip: true,
	};
	const found = new AddedTokens([token]).split(`${spaces}x<b>${spaces}<b>`, () => true);
	expect(found.map(({start, end}) => [start, end])).toEqual([
		[0, 300_001],
		[300_001, 600_004],
		[600_004, 600_007],
	]);
	const {normalizer: run} = library({normalizer: {type: 'Strip', ...{strip_left: true, strip_right: true}}});
	expect(run!(`${spaces}x${spaces}x${spaces}`)).toBe(`x${spaces}x`);
});
