import {existsSync, statSync} from 'node:fs';
import {dirname, join, posix} from 'node:path';
import {expect, it} from 'vitest';
import {packageRoot} from '../../lib/native/index.js';
import {pages, textOf} from './pages.js';

it.each(pages)('%s links to what is there', page => {
	const broken = linksOf(page).filter(link => !leadsSomewhere(page, link));
	expect(broken).toEqual([]);
});

it('is found out about what is not', () => {
	expect(leadsSomewhere('README.md', 'docs/memory.md#a-smaller-cache')).toBe(true);
	for (const link of ['docs/nothing.md', 'docs/memory.md#nothing', '#nothing', 'http://example.org', '/docs/memory.md'])
		expect(leadsSomewhere('README.md', link)).toBe(false);
});

/** Outside of code. */
function linksOf(page: string): string[] {
	const text = textOf(page)
		.replace(/^```[\s\S]*?^```$/gm, '')
		.replace(/`[^`\n]*`/g, '');
	return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
}

function leadsSomewhere(page: string, link: string): boolean {
	if (/^[a-z]+:/.test(link)) return /^https:\/\/[\w-]+(?:\.[\w-]+)+(?:\/|$)/.test(link);
	const [target = '', anchor] = link.split('#');
	if (target.startsWith('/')) return false;
	const file = target === '' ? page : posix.normalize(posix.join(dirname(page), target));
	if (!existsSync(join(packageRoot, file))) return false;
	if (anchor === undefined) return true;
	return statSync(join(packageRoot, file)).isFile() && anchorsOf(file).has(anchor);
}

/** Of headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
	const seen = new Map<string, number>();
	const anchors = new Set<string>();
	for (const [, heading = ''] of textOf(page).matchAll(/^#{1,6} (.*)$/gm)) {
		const words = heading.replace(/\]\([^)]*\)/g, '').toLowerCase();
		const slug = words
			.replace(/[^\p{L}\p{N} _-]/gu, '')
			.trim()
			.replaceAll(' ', '-');
		const count = seen.get(slug) ?? 0;
		seen.set(slug, count + 1);
		anchors.add(count === 0 ? slug : `${slug}-${count}`);
	}
	return anchors;
}
