// @ts-check

// Reports how long the files of each room are, and fails where one is over the ceiling. A file that needs a table of
// contents is two files.

import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';

/** @type {ReadonlyArray<{folder: string, endings: readonly string[], ceiling: number}>} */
const houses = [
	{folder: 'lib', endings: ['.ts'], ceiling: 300},
	{folder: 'native', endings: ['.cpp', '.h', '.inl', '.cu', '.cuh'], ceiling: 450},
	{folder: 'test', endings: ['.ts'], ceiling: 500},
];

/** Files over the ceiling, each with its reason. @type {Record<string, string>} */
const exceptions = {};

/** @param {readonly number[]} sorted @param {number} share */
const quantile = (sorted, share) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;

let failed = false;
console.log(`${'room'.padEnd(20)} files median  p90  max`);

for (const {folder, endings, ceiling} of houses) {
	/** @type {Map<string, number[]>} */
	const rooms = new Map();
	for (const entry of readdirSync(folder, {recursive: true, encoding: 'utf8'})) {
		if (!endings.some(ending => entry.endsWith(ending))) continue;
		const file = path.join(folder, entry).replaceAll(path.sep, '/');
		const room = file.split('/').slice(0, -1).slice(0, 2).join('/');
		const lines = readFileSync(file, 'utf8').split('\n').length - 1;
		rooms.set(room, [...(rooms.get(room) ?? []), lines]);
		if (lines > ceiling && !(file in exceptions)) {
			console.error(`${file}: ${lines} lines, over the ${ceiling} of ${folder}/`);
			failed = true;
		}
	}

	for (const [room, unsorted] of [...rooms].sort()) {
		const sorted = unsorted.sort((a, b) => a - b);
		const columns = [sorted.length, quantile(sorted, 0.5), quantile(sorted, 0.9), quantile(sorted, 1)];
		console.log(room.padEnd(20) + columns.map((n, i) => String(n).padStart([6, 7, 5, 5][i] ?? 0)).join(''));
	}
}

if (failed) process.exitCode = 1;
