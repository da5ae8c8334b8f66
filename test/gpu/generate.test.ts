import {join} from 'node:path';
import {expect, it} from 'vitest';
import {loadModel, type Model} from '../../lib/model/index.js';
import {type CacheTypeName, cacheTypes, type DeviceName} from '../../lib/options/index.js';
import {describeOnDevice, isQuick} from '../support/device.js';
import {modelsDirectory} from '../support/directory.js';
import {relativeError, rootMeanSquare} from '../support/error.js';
import {expectNothingHeld} from '../support/memory.js';
import {seededRandom} from '../support/random.js';
import {tinyModel, writeTinyModel} from '../support/tiny-model.js';
import {errorOfHalves} from './halves.js';

const tokens = isQuick ? 4 : 12;
const greedy = {temperature: 0, repetitionPenalty: 1, maxTokens: tokens, minTokens: tokens};

const complete = async (model: Model, prompt: readonly number[]) => (await model.complete(prompt, greedy)).tokenIds;
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/**
Expects two texts to be the same up to a token that had no clear lead.

@param error Of logits, as a fraction of their size. Four times as much in the difference of two is no clear lead.
@returns Tokens that are the same.
*/
async function expectAgreement(
	judge: Model,
	prompt: readonly number[],
	[found, expected]: readonly [readonly number[], readonly number[]],
	error: number,
): Promise<number> {
	expect([found.length, expected.length]).toEqual([tokens, tokens]);
	const same = expected.findIndex((id, i) => found[i] !== id);
	if (same < 0) return tokens;
	const logits = await judge.logits([...prompt, ...expected.slice(0, same)]);
	const lead = Math.abs(logits[expected[same]!]! - logits[found[same]!]!);
	const where = `token ${same} after ${prompt.length} is ${found[same]}, expected ${expected[same]}`;
	expect(lead, where).toBeLessThan(4 * error * rootMeanSquare(logits));
	return same;
}

const random = seededRandom(5);
const prompts = (isQuick ? [5, 20] : [5, 20, 50, 300]).map(length => Array.from({length}, () => 3 + random.int(500)));

describeOnDevice('text', device => {
	it.each(cacheTypes)('is what the processor writes, with a %s cache', async type => {
		// The models of the repository have heads that are no multiple of 32.
		const options = {hidden: 128, intermediate: 256, vocabulary: 512, format: 'exl2'} as const;
		const directory = await writeTinyModel(tinyModel(options));
		const load = (on: DeviceName, type: CacheTypeName) =>
			loadModel(directory, {device: on, cache: {tokens: 512, type}});
		await using exact = await load('cpu', 'fp16');
		await using cpu = await load('cpu', type);
		await using model = await load(device, type);

		// Some codes are others where halves are: a device is half as far from the processor as the cache is from the truth.
		const cost: number[] = [];
		const errors: number[] = [];
		for (const prompt of prompts) {
			const expected = await cpu.logits(prompt);
			cost.push(relativeError(expected, await exact.logits(prompt)));
			errors.push(relativeError(await model.logits(prompt), expected));
		}
		const allowed = sum(cost) / prompts.length / 2 + 3 * errorOfHalves(2);
		expect(sum(errors) / prompts.length).toBeLessThan(allowed);

		let agreed = 0;
		for (const prompt of prompts) {
			const texts = [await complete(model, prompt), await complete(cpu, prompt)] as const;
			agreed += await expectAgreement(cpu, prompt, texts, allowed);
		}
		expect(agreed).toBeGreaterThan(0);
	});

	it('of many jobs at once is that of each alone', async () => {
		const directory = join(modelsDirectory, 'tinystories-656k-exl2');
		await using cpu = await loadModel(directory, {device: 'cpu'});
		await using model = await loadModel(directory, {device});
		const together = await Promise.all(prompts.map(prompt => complete(model, prompt)));
		for (const [i, prompt] of prompts.entries()) {
			const texts = [together[i]!, await complete(model, prompt)] as const;
			await expectAgreement(cpu, prompt, texts, 3 * errorOfHalves(2));
		}
	});

	it('of a seed is the same again', async () => {
		await using model = await loadModel(join(modelsDirectory, 'tinystories-656k-gptq'), {device});
		const draw = () => model.complete('Once upon a time', {...greedy, temperature: 1, seed: 7});
		const {tokenIds} = await draw();
		for (let i = 0; i < (isQuick ? 1 : 3); i++) expect((await draw()).tokenIds).toEqual(tokenIds);
	});

	it('leaves nothing behind', expectNothingHeld);
});
