// @ts-check

// Runs the demo and draws what it prints as docs/demo.svg, the picture in the README.

import {execFileSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';

const columns = 104;
const [lineHeight, charWidth, margin] = [18, 7.8, 20];

/** Breaks a line at spaces. @param {string} line @returns {string[]} */
function wrap(line) {
	if (line.length <= columns) return [line];
	const cut = line.lastIndexOf(' ', columns);
	return [line.slice(0, cut), ...wrap(line.slice(cut + 1))];
}

/** @param {string} text */
function escapeXml(text) {
	return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

const output = execFileSync(process.execPath, ['examples/demo.mjs'], {encoding: 'utf8'});
const lines = ['$ npm run demo', ...output.trimEnd().split('\n').flatMap(wrap)];
const [width, height] = [columns * charWidth + 2 * margin, lines.length * lineHeight + 2 * margin];
const rows = lines.map((line, i) => {
	const color = i === 0 ? '#8be9a8' : /^(Memory|After|\d+ tokens)/.test(line) ? '#8ab4f8' : '#e6e6e6';
	return `<text x="${margin}" y="${margin + (i + 0.8) * lineHeight}" fill="${color}">${escapeXml(line)}</text>`;
});
writeFileSync(
	'docs/demo.svg',
	`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13" xml:space="preserve">
<rect width="100%" height="100%" rx="8" fill="#1e1f24"/>
${rows.join('\n')}
</svg>
`,
);
