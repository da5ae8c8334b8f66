// node examples/complete.mjs [model directory]: load, generate, give everything back.

import {loadModel} from 'node-exllama';

const model = await loadModel(process.argv[2] ?? 'models/tinystories-656k-exl2');
try {
	const result = await model.complete('Once upon a time', {maxTokens: 64, temperature: 0});
	console.log(result.text);
	console.log(`${result.completionTokens} tokens, ${result.timings.tokensPerSecond.toFixed(0)} tokens/s`);
} finally {
	await model.dispose();
}
