import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {Device} from '../../lib/memory/index.js';
import {addon, type SamplerSettings, type TextFilter} from '../../lib/native/index.js';
import {keepDevicesOpen} from '../support/memory.js';
import {type Random, seededRandom} from '../support/random.js';
import {bytesOf, type Constraint, mayFollow, spells, textOf} from './naive-filters.js';
import {NativeSampler, randomLogits} from './native.js';

keepDevicesOpen();

let device: Device;
beforeAll(() => {
	device = Device.acquire('cpu');
});
afterAll(() => device.release());

/** A vocabulary of the addon, for as long as `use` takes. */
function withVocabulary<T>(tokens: readonly string[], use: (tokenTexts: number) => T): T {
	let end = 0;
	const offsets = Int32Array.from([0, ...tokens.map(token => (end += token.length))]);
	const id = addon().createVocabulary(Buffer.from(tokens.join(''), 'latin1'), offsets);
	try {
		return use(id);
	} finally {
		addon().release(id);
	}
}

function samplerOf({tokens, filters, endIds, healed}: Constraint, more: Partial<SamplerSettings> = {}): NativeSampler {
	const healedId = healed === undefined ? -1 : tokens.indexOf(healed);
	return withVocabulary(
		tokens,
		tokenTexts => new NativeSampler({filters, tokenTexts, endIds: Int32Array.from(endIds), healedId, ...more}),
	);
}

/** Ids that the next draw chooses from. */
const allowed = (sampler: NativeSampler, {tokens}: Constraint) =>
	[...sampler.distribution(new Float32Array(tokens.length)).keys()].sort((a, b) => a - b);

/** Makes the sampler draw this id, which it has to allow. */
function force(sampler: NativeSampler, {tokens}: Constraint, id: number): void {
	const logits = new Float32Array(tokens.length);
	logits[id] = 1000;
	expect([...sampler.draw(logits, 1)]).toEqual([id]);
}

const select = (...texts: string[]): TextFilter => ({texts, open: 0});
const prefix = (...texts: string[]): TextFilter => ({texts, open: 1});

describe('exactly the texts that are wanted can be written', () => {
	const cases: [string, string[], TextFilter[], string[]][] = [
		['of choices', ['a', 'b', 'c', 'ab', 'bc', 'abc'], [select('abc', 'ab', 'cb', 'b')], ['abc', 'ab', 'cb', 'b']],
		['with dead ends on the way', ['ab', 'ca', 'b', 'abc', 'c'], [select('abca', 'cab', 'bb')], ['abca', 'cab', 'bb']],
		[
			'of characters in parts',
			['é', '\xC3', '\xA9', '\xE4\xBD', '\xA0', '\xA9\xE4', '\xBD'],
			[select('é你', '你é')],
			['é你', '你é'],
		],
		['of several filters', ['a', 'b', 'ab'], [select('ab', 'aba', 'b'), prefix('a'), select('ab', 'b')], ['ab']],
	];

	it.each(cases)('%s', (_, pieces, filters, wanted) => {
		const tokens = [...pieces.map(piece => (piece === 'é' ? bytesOf(piece) : piece)), ''];
		const constraint = {tokens, filters, endIds: [tokens.length - 1]};
		const written = new Map<string, number>();
		const visit = (drawn: readonly number[]) => {
			using sampler = samplerOf(constraint);
			for (const id of drawn) force(sampler, constraint, id);
			const ids = allowed(sampler, constraint);
			expect(ids, `after ${drawn}`).not.toEqual([]);
			for (const id of ids) {
				if (!constraint.endIds.includes(id)) visit([...drawn, id]);
				else written.set(textOf(constraint, drawn), (written.get(textOf(constraint, drawn)) ?? 0) + 1);
			}
		};
		visit([]);
		expect([...written.keys()].sort()).toEqual(wanted.map(bytesOf).sort());
	});

	it('and all that begins with a prefix, whatever crosses its end', () => {
		const constraint = {tokens: ['a', 'b', 'ab', 'ba', 'bab', ''], filters: [prefix('ab')], endIds: [5]};
		const everything: number[][] = [[]];
		for (const drawn of everything) {
			if (drawn.length < 4) everything.push(...constraint.tokens.map((_, id) => [...drawn, id]));
		}
		const possible = everything.filter(drawn => {
			using sampler = samplerOf(constraint);
			return drawn.every(id => {
				if (!allowed(sampler, constraint).includes(id)) return false;
				force(sampler, constraint, id);
				return true;
			});
		});
		const ends = (drawn: number[]) => drawn.indexOf(5) >= 0;
		const isText = (drawn: number[]) => !ends(drawn) || drawn.slice(drawn.indexOf(5)).every(id => id === 5);
		const reads = (drawn: number[]) => drawn.map(id => constraint.tokens[id]).join('');
		const wanted = everything.filter(drawn => {
			const text = reads(drawn);
			return isText(drawn) && (text.startsWith('ab') || (!ends(drawn) && 'ab'.startsWith(text)));
		});
		expect(possible).toEqual(wanted);
	});
});

const everyByte = Array.from({length: 256}, (_, byte) => String.fromCharCode(byte));

/** Tokens over a few bytes, of which some are special, spelled twice, parts of characters, or ends. */
function randomConstraint(random: Random): Constraint {
	const alphabet = random.pick(['ab', 'abc', '\xC3\xA9a', '\xE4\xBD\xA0\xA9']);
	const word = (length: number) => Array.from({length}, () => random.pick([...alphabet])).join('');
	const tokens = Array.from({length: 2 + random.int(70)}, () => (random.int(8) === 0 ? '' : word(1 + random.int(4))));
	if (random.int(6) === 0) tokens.push(...everyByte);
	const endIds = Array.from({length: random.int(3)}, () => random.int(tokens.length));
	const healed = random.int(3) === 0 ? random.pick(tokens) : undefined;
	const texts = ['a', 'ab', 'ba', 'é', 'éa', 'aé', 'aéa', '你', '你你', 'abab', 'bb', 'cab'];
	const filters = Array.from({length: 1 + random.int(3)}, () => {
		const open = random.int(2) as 0 | 1;
		const spelled = texts.filter(text => spells(tokens, bytesOf(text), Boolean(open)));
		const picked = Array.from({length: 1 + random.int(3)}, () => (spelled.length > 0 ? random.pick(spelled) : ''));
		return {texts: [...new Set(picked)], open};
	});
	return {tokens, filters, endIds: [...new Set(endIds)], ...(healed && {healed})};
}

/** Random draws that the filters allow, until they end or allow nothing. */
function randomDraws(random: Random, constraint: Constraint, sampler: NativeSampler): number[] {
	const drawn: number[] = [];
	while (drawn.length < 6) {
		const ids = mayFollow(constraint, drawn);
		expect(allowed(sampler, constraint)).toEqual(ids);
		if (ids.length === 0) break;
		const id = random.pick(ids);
		force(sampler, constraint, id);
		drawn.push(id);
	}
	return drawn;
}

const constraints = (random: Random, count: number) =>
	Array.from({length: count}, () => randomConstraint(random)).filter(({filters}) =>
		filters.every(({texts}) => !texts.includes('')),
	);

it('in 3,000 random states the mask is what asking of each token gives', () => {
	const random = seededRandom(1);
	let [states, none, ended] = [0, 0, 0];
	for (const constraint of constraints(random, 3000)) {
		using sampler = samplerOf(constraint);
		const drawn = randomDraws(random, constraint, sampler);
		states += drawn.length + 1;
		if (mayFollow(constraint, drawn).length === 0) none++;
		if (drawn.some(id => constraint.endIds.includes(id))) ended++;
	}
	expect(states).toBeGreaterThan(3000);
	expect(none).toBeGreaterThan(100);
	expect(ended).toBeGreaterThan(100);
});

it('rewinding is as if what came after had not been drawn', async () => {
	const random = seededRandom(2);
	let moved = 0;
	for (const constraint of constraints(random, 600)) {
		using sampler = samplerOf(constraint);
		const drawn = randomDraws(random, constraint, sampler);
		for (let times = 0; times < 3; times++) {
			const kept = random.int(drawn.length + 2);
			moved += kept < drawn.length ? 1 : 0;
			await sampler.rewind(device, kept);
			drawn.splice(kept);
			const ids = mayFollow(constraint, drawn);
			expect(allowed(sampler, constraint)).toEqual(ids);
			if (ids.length === 0) continue;
			drawn.push(random.pick(ids));
			force(sampler, constraint, drawn.at(-1)!);
		}
	}
	expect(moved).toBeGreaterThan(200);
});

describe('what is drawn', () => {
	const constraint = {tokens: ['a', 'b', 'ab', '', ''], filters: [select('ab', 'aa')], endIds: [3]};

	it('has the probabilities of what is left', () => {
		using sampler = samplerOf(constraint);
		const logits = randomLogits(seededRandom(5), 5, 2);
		const [a, , ab] = [...logits].map(Math.exp);
		const drawn = sampler.distribution(logits);
		expect([...drawn.keys()]).toEqual([0, 2]);
		expect(drawn.get(0)).toBeCloseTo(a! / (a! + ab!), 5);
	});

	it('goes on with ends after the end', () => {
		using sampler = samplerOf(constraint, {temperature: 0});
		expect([...sampler.draw([1, 1, 2, 0, 9], 4)]).toEqual([2, 3, 3, 3]);
	});

	it('is nothing where filters and other settings leave nothing', async () => {
		const left = (settings: Partial<SamplerSettings>, filters = constraint.filters) => {
			using sampler = samplerOf({...constraint, filters}, settings);
			return [...sampler.draw(new Float32Array(5), 3)];
		};
		expect(left({bannedIds: Int32Array.of(0, 2)})).toEqual([-1, -1, -1]);
		expect(left({allowedIds: Int32Array.of(1, 3)})).toEqual([-1, -1, -1]);
		expect(left({firstAllowedIds: Int32Array.of(1)})).toEqual([-1, -1, -1]);
		expect(left({minTokens: 3, bannedIds: Int32Array.of(2)})).toEqual([0, expect.any(Number), -1]);
		expect(left({}, [select('ab'), select('b')])).toEqual([-1, -1, -1]);

		using sampler = samplerOf(constraint);
		await sampler.rewind(device, 0, [0, 2]);
		expect([...sampler.draw(new Float32Array(5), 1)]).toEqual([-1]);
		await sampler.rewind(device, 0, [0]);
		expect([...sampler.draw(new Float32Array(5), 2)]).toEqual([2, 3]);
	});

	it('ends no text early with a token that would spell it', () => {
		using sampler = samplerOf({...constraint, endIds: [2, 3]});
		expect(allowed(sampler, constraint)).toEqual([0]);
	});

	it('does not depend on more logits than tokens, or fewer', () => {
		for (const count of [1, 3, 64, 65, 200]) {
			using sampler = samplerOf(constraint, {temperature: 0});
			expect([...sampler.draw(new Float32Array(count), 1)]).toEqual([0]);
		}
	});
});

describe('bad input', () => {
	const tokens = ['a', 'ab', '\xC3', ''];
	const refused = (filters: TextFilter[], message: RegExp, more: Partial<SamplerSettings> = {}) =>
		expect(() => samplerOf({tokens, filters, endIds: [3]}, more)).toThrow(
			expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message: expect.stringMatching(message)}),
		);

	it('texts that no tokens spell are named', () => {
		refused([select('aab', 'b')], /no tokens spell "b"/);
		refused([select('aab'), select('aé')], /no tokens spell "aé"/);
		refused([prefix('ac')], /no tokens spell "ac"/);
		expect(() => samplerOf({tokens, filters: [prefix('a'), select('aaba')], endIds: [3]})).not.toThrow();
		expect(() => samplerOf({tokens: ['abc'], filters: [prefix('ab', 'abz')], endIds: []})).not.toThrow();
	});

	it('empty lists, empty texts, no vocabulary', () => {
		refused([select()], /no text/);
		refused([select('a', '')], /empty text/);
		refused([select('a')], /tokenTexts/, {tokenTexts: undefined as never});
	});

	it.each([[[]], [[1, 2]], [[0, 2, 1, 3]], [[0, 4]]])('offsets %j', offsets => {
		expect(() => addon().createVocabulary(Buffer.from('abc'), Int32Array.from(offsets))).toThrow(
			expect.objectContaining({code: 'EXL_INVALID_ARGUMENT'}),
		);
	});
});
