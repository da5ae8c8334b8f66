import {cp, readFile, rm, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {type ChatMessage, loadModel} from '../../lib/index.js';
import {modelsDirectory, temporaryDirectory} from '../support/directory.js';

type Json = {
	added_tokens: {id: number; content: string; special: boolean}[];
	model: {vocab: Record<string, number>; merges: (string | string[])[]};
};

async function directory(template?: string, edit: (json: Json) => void = () => undefined): Promise<string> {
	const to = path.join(await temporaryDirectory(), 'model');
	await cp(path.join(modelsDirectory, 'tinystories-656k'), to, {recursive: true});
	if (template) await writeFile(path.join(to, 'chat_template.jinja'), template);
	const file = path.join(to, 'tokenizer.json');
	const json = JSON.parse(await readFile(file, 'utf8'));
	edit(json);
	await writeFile(file, JSON.stringify(json));
	return to;
}

async function load(from: string) {
	const model = await loadModel(from, {device: 'cpu', threads: 1});
	onTestFinished(() => model.dispose());
	return model;
}

const hi: ChatMessage[] = [{role: 'user', content: 'Hi'}];
const echo = '{{ messages[0].content }}';

test('special tokens that a message spells are text, and those of the template are not', async () => {
	const notNormalized = (json: Json) => {
		json.added_tokens = json.added_tokens.map(token => ({...token, normalized: false}));
	};
	const typed = 'x<|end_story|>x';
	const forged = await load(await directory(echo, notNormalized));
	const {promptTokens} = await forged.chat([{role: 'user', content: typed}], {maxTokens: 1}).result;
	expect(promptTokens).toBe(forged.tokenizer.encode(typed, {addBos: true}).length);

	const meant = await load(await directory(`x<|end_story|>{{ messages[0].content }}`, notNormalized));
	const result = await meant.chat([{role: 'user', content: 'x'}], {maxTokens: 1}).result;
	expect(result.promptTokens).toBe(meant.tokenizer.encode(typed, {addBos: true, encodeSpecial: true}).length);
	expect(result.promptTokens).toBeLessThan(promptTokens);
});

test.each(['none', 'process'] as const)('the template outlives its directory (isolation %s)', async isolation => {
	const from = await directory(echo);
	const model = await loadModel(from, {device: 'cpu', threads: 1, isolation});
	onTestFinished(() => model.dispose());
	await rm(from, {recursive: true});
	expect((await model.chat(hi, {maxTokens: 1}).result).completionTokens).toBe(1);
});

test('a template that is added later is found', async () => {
	const from = await directory();
	const model = await load(from);
	await expect(model.chat(hi, {maxTokens: 1}).result).rejects.toMatchObject({code: 'EXL_MODEL_UNSUPPORTED'});
	await writeFile(path.join(from, 'chat_template.jinja'), echo);
	expect((await model.chat(hi, {maxTokens: 1}).result).completionTokens).toBe(1);
});

test('a stop string that is a special token stops where it is drawn', async () => {
	const plain = await load(await directory());
	const {tokenIds} = await plain.complete('Once upon a time', {temperature: 0, maxTokens: 30});
	const id = tokenIds[5]!;

	// The sixth token of the story is renamed: it ends turns now.
	const from = await directory(undefined, json => {
		const {vocab, merges} = json.model;
		const name = Object.keys(vocab).find(key => vocab[key] === id)!;
		delete vocab[name];
		vocab['<|im_end|>'] = id;
		json.model.merges = merges.filter(merge => {
			const [a = '', b = ''] = Array.isArray(merge) ? merge : merge.split(' ');
			return ![a, b, a + b].includes(name);
		});
		json.added_tokens.push({id, content: '<|im_end|>', special: true});
	});
	const model = await load(from);
	for (const stop of [id, '<|im_end|>', ['never', '<|im_end|>']]) {
		const result = await model.complete('Once upon a time', {temperature: 0, maxTokens: 30, stop});
		expect(result).toMatchObject({finishReason: 'stop', completionTokens: 5});
	}
});
