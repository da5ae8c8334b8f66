// node examples/bulk.mjs [model directory]: many prompts at once, with a progress bar. All are handed over; the generator runs
// as many side by side as the batch and the cache hold.

import {Presets, SingleBar} from 'cli-progress';
import {loadModel} from 'node-exllama';

const names = ['Tom', 'Lily', 'Max', 'Mia', 'Ben', 'Sue', 'Tim', 'Amy'];
const things = ['ball', 'dog', 'kite', 'cake', 'tree', 'boat', 'hat', 'bird'];
const prompts = names.flatMap(name => things.map(thing => `Once upon a time, ${name} found a ${thing}. ${name}`));

const model = await loadModel(process.argv[2] ?? 'models/tinystories-656k-exl2');
try {
	const bar = new SingleBar(
		{format: '{bar} {value}/{total} stories, {tokens} tokens', noTTYOutput: false},
		Presets.shades_classic,
	);
	bar.start(prompts.length, 0, {tokens: 0});
	let tokens = 0;
	const started = performance.now();
	const stories = await Promise.all(
		prompts.map(async (prompt, i) => {
			const {text, completionTokens} = await model.complete(prompt, {maxTokens: 60, seed: i});
			tokens += completionTokens;
			bar.increment({tokens});
			return prompt + text;
		}),
	);
	bar.stop();
	const seconds = (performance.now() - started) / 1000;
	console.log(`${stories.length} stories, ${tokens} tokens, ${Math.round(tokens / seconds)} tokens/s\n\n${stories[0]}`);
} finally {
	await model.dispose();
}
