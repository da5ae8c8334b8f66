// node examples/speculative.mjs [model directory] [draft model directory]: the same text in fewer steps. A draft model guesses
// some tokens, the model checks them in one step; `ngram` guesses from what was said before and needs no second model.

import {loadModel} from 'node-exllama';

const [directory = 'models/tinystories-656k-exl2', draft = 'models/tinystories-656k-gptq'] = process.argv.slice(2);
const model = await loadModel(directory, {draft});
try {
	const options = {maxTokens: 120, temperature: 0};
	/** @type {Record<string, false | 'draft' | 'ngram'>} */
	const ways = {'one by one': false, 'draft model': 'draft', 'n-grams': 'ngram'};
	const texts = new Set();
	for (const [name, speculative] of Object.entries(ways)) {
		const {steps} = await model.generator.snapshot();
		const {text, completionTokens, speculation} = await model.complete('Once upon a time', {...options, speculative});
		const taken = (await model.generator.snapshot()).steps - steps;
		const guesses = speculation ? `, ${speculation.accepted} of ${speculation.drafted} guesses right` : '';
		console.log(`${name}: ${completionTokens} tokens in ${taken} steps${guesses}`);
		texts.add(text);
	}
	console.log(
		texts.size === 1 ? 'The text is the same each time.' : 'The texts differ: this is a defect, please report it.',
	);
} finally {
	await model.dispose();
}
