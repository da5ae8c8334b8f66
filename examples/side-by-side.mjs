// node examples/side-by-side.mjs [model directory]: ten stories written at once, each on a line of its own.

import {clearLine, cursorTo, moveCursor} from 'node:readline';
import {loadModel} from 'node-exllama';

const count = 10;
const {stdout} = process;
const width = (stdout.columns ?? 100) - 4;

const model = await loadModel(process.argv[2] ?? 'models/tinystories-656k-exl2');
try {
	const lines = Array.from({length: count}, () => 'Once upon a time');
	/** The end of a story that fits its line. @param {number} i */
	const line = i => `${String(i).padStart(2)} ${(lines[i] ?? '').replaceAll(/\s+/g, ' ').slice(-width)}`;

	/** @param {number} i */
	const draw = i => {
		if (!stdout.isTTY) return;
		moveCursor(stdout, 0, i - count);
		cursorTo(stdout, 0);
		clearLine(stdout, 0);
		stdout.write(line(i));
		moveCursor(stdout, 0, count - i);
		cursorTo(stdout, 0);
	};

	if (stdout.isTTY) stdout.write(`${lines.map((_, i) => line(i)).join('\n')}\n`);
	await Promise.all(
		lines.map(async (prompt, i) => {
			for await (const {text} of model.generate(prompt, {maxTokens: 120, temperature: 0.9, seed: i})) {
				lines[i] += text;
				draw(i);
			}
		}),
	);
	if (!stdout.isTTY) console.log(lines.map((_, i) => line(i)).join('\n'));
} finally {
	await model.dispose();
}
