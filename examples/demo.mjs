// npm run demo: a small model writes a story, and every byte it took is given back. No download, no GPU, no options.

import {fileURLToPath} from 'node:url';
import {loadModel, memory} from 'node-exllama';

const directory = fileURLToPath(new URL('../models/tinystories-656k-exl2', import.meta.url));
const prompt = 'Once upon a time';

const model = await loadModel(directory);
console.log(`A story by ${model.architecture}, 4.5 bits per weight, on device ${model.device}:\n`);

process.stdout.write(prompt);
// This model writes its end mark out as text before it ends; a larger one only ends.
const story = model.generate(prompt, {maxTokens: 250, temperature: 0.5, seed: 13, stop: '<|end_story|>'});
for await (const chunk of story) process.stdout.write(chunk.text);

const {completionTokens, timings} = await story.result;
console.log(`\n\n${completionTokens} tokens, ${Math.round(timings.tokensPerSecond)} tokens/s`);

console.log(`\nMemory while the model is loaded:\n${memory.table()}`);
await model.dispose();
console.log(`\nAfter model.dispose():\n${memory.table()}`);
