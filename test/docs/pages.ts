import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {packageRoot} from '../../lib/native/index.js';

/** A fenced block of code. */
export type Block = {
	/** `docs/chat.md:14` */
	readonly place: string;
	readonly language: string;
	readonly code: string;
	/** Code that a reader does not see, after it: `<!-- then: ... -->`. */
	readonly after: string;
};

/** What a reader may open, relative to the root. */
export const pages: readonly string[] = [
	...markdownIn('.'),
	...markdownIn('docs'),
	...markdownIn('docs/api'),
	'prebuilds/README.md',
];

export const textOf = (page: string) => readFileSync(join(packageRoot, page), 'utf8');

export function blocksOf(page: string): Block[] {
	const text = textOf(page);
	const fence = /^```(\w*)\n([\s\S]*?)^```$(?:\n\n<!-- then:\n([\s\S]*?)-->)?/gm;
	return [...text.matchAll(fence)].map(({index, 1: language = '', 2: code = '', 3: after = ''}) => ({
		place: `${page}:${text.slice(0, index).split('\n').length}`,
		language,
		code,
		after,
	}));
}

function markdownIn(folder: string): string[] {
	const names = readdirSync(join(packageRoot, folder)).filter(name => name.endsWith('.md'));
	return names.map(name => (folder === '.' ? name : `${folder}/${name}`));
}
