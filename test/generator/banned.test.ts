import {join} from 'node:path';
import {expect, it} from 'vitest';
import {Answer} from '../../lib/generator/index.js';
import {DetokenizerStream, Tokenizer} from '../../lib/tokenizer/index.js';
import {modelsDirectory} from '../support/directory.js';
import {seededRandom} from '../support/random.js';

const tokenizer = await Tokenizer.load(join(modelsDirectory, 'tinystories-656k'));

const answer = (bannedStrings: readonly string[], maxTokens = 1000, stopStrings: readonly string[] = []) =>
	new Answer(
		{maxTokens, stopIds: new Set([0]), stopStrings, bannedStrings, detailed: false, logits: false},
		new DetokenizerStream(tokenizer, {context: [100]}),
	);

/** Few tokens, some of which end or begin banned strings. */
const vocabulary = [' the', ' th', 'e', ' cat', ' c', 'at', ' A', 'a', ' dog', 'é', '🙂', '.', ' The'].flatMap(text =>
	tokenizer.encode(`a${text}`, {addBos: false}).slice(1),
);

it('takes back what became a banned string, in any case of letters', () => {
	const [space, t, he] = tokenizer.encode('The', {addBos: false});
	const text = answer(['tHe']);
	expect(text.push(space!).chunk?.text).toBe(' ');
	expect(text.push(t!)).toEqual({});
	expect(text.push(he!).rewind).toMatchObject({tokens: 2, banned: [t]});
	expect(text.tokenIds).toEqual([space]);
});

it('never shows any part of a banned string, and never takes back what it showed', () => {
	const random = seededRandom(5);
	const lists = [[' the cat'], ['the', 'CAT'], ['é.', ' a'], ['🙂'], ['a', 'e'], [' dog.', 'dog', ' th']];
	for (let round = 0; round < 400; round++) {
		const banned = random.pick(lists);
		const text = answer(banned, 5 + random.int(30), random.int(2) ? [' dog dog', '..'] : []);
		const shown: number[] = [];
		let words = '';
		let forbidden: readonly number[] = [];
		let rewinds = 0;
		for (;;) {
			const allowed = vocabulary.filter(id => !forbidden.includes(id));
			if (allowed.length === 0) break;
			const {chunk, finish, rewind} = text.push(random.int(20) === 0 ? 0 : random.pick(allowed));
			if (chunk) {
				shown.push(...chunk.tokenIds);
				words += chunk.text;
			}
			expect(text.tokenIds.slice(0, shown.length)).toEqual(shown);
			expect(text.certain).toBeGreaterThanOrEqual(shown.length);
			forbidden = rewind?.banned ?? [];
			if (rewind && ++rewinds > 200) break;
			if (finish === undefined) continue;
			expect(shown).toEqual(text.tokenIds);
			expect(words).toBe(text.text);
			const whole = tokenizer.decode([100, ...shown]).slice(tokenizer.decode([100]).length);
			expect(whole.startsWith(words)).toBe(true);
			break;
		}
		for (const string of banned) expect(words.toLowerCase()).not.toContain(string.toLowerCase());
	}
});
