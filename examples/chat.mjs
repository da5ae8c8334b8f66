// node examples/chat.mjs [model directory]: a conversation in the terminal. Each turn is a longer prompt that begins like the
// one before, so only what is new is computed. Ends with an empty line.

import {createInterface} from 'node:readline';
import {loadModel} from 'node-exllama';

await using(await loadModel(process.argv[2] ?? 'models/tinystories-656k-exl2'), async model => {
	const input = createInterface({input: process.stdin, output: process.stdout, prompt: '\n> '});
	let text = '';
	input.prompt();
	for await (const line of input) {
		if (line.trim() === '') break;
		// The bundled model tells stories and has no chat template; with one, this is model.chat(messages).
		text += text === '' ? line : ` ${line}`;
		const reply = model.generate(text, {maxTokens: 40, temperature: 0.6, seed: 1, stop: '<|'});
		for await (const chunk of reply) process.stdout.write(chunk.text);
		const result = await reply.result;
		text += result.text;
		console.log(`\n  (${result.cachedTokens} of ${result.promptTokens} prompt tokens were in the cache)`);
		input.prompt();
	}
	input.close();
});

/** `await using`, before it is in the language. @template {AsyncDisposable} T @param {T} thing @param {(thing: T) => Promise<void>} body */
async function using(thing, body) {
	try {
		await body(thing);
	} finally {
		await thing[Symbol.asyncDispose]();
	}
}
