// node examples/choice.mjs [model directory]: answers out of a list, and nothing else. The rest of the vocabulary cannot be
// drawn, so the answer needs no parsing.

import {loadModel} from 'node-exllama';

const stories = [
	'Tom lost his ball. He could not find it. Tom was very',
	'Lily got a big cake for her birthday. Lily was very',
	'The dog was sick and could not play. The boy was very',
	'Sue and her mom went to the park. They played all day. Sue was very',
];

const model = await loadModel(process.argv[2] ?? 'models/tinystories-656k-exl2');
try {
	const answers = stories.map(story =>
		model.complete(story, {temperature: 0, filters: [{select: [' happy', ' sad']}]}),
	);
	for (const [i, {text}] of (await Promise.all(answers)).entries()) console.log(`${stories[i]}${text}`);
} finally {
	await model.dispose();
}
