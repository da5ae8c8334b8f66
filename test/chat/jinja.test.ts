import {readFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {templateGlobals} from '../../lib/chat/globals.js';
import {parseTemplate, renderTemplate, type Text, templateValue} from '../../lib/chat/jinja/index.js';

type Cases = {readonly variables: object; readonly templates: readonly [string, string | null][]};
const {variables, templates}: Cases = JSON.parse(readFileSync(path.join(__dirname, 'jinja.json'), 'utf8'));

function render(source: string, given: object = variables): Text {
	const values = Object.entries(given).map(([name, value]) => [name, templateValue(value)]);
	return renderTemplate(parseTemplate(source), {...templateGlobals(new Date()), ...Object.fromEntries(values)});
}

test('templates give what they give in Python, or fail as there', () => {
	const outcomes = templates.map(([source]) => {
		try {
			return [source, render(source).value];
		} catch {
			return [source, null];
		}
	});
	expect(outcomes).toEqual(templates);
});

describe('a template cannot take more than there is', () => {
	test.each([
		['a long range', '{{ range(1000000000) | length }}'],
		['a long text', "{{ 'x' * 1000000000 }}"],
		[
			'a text that doubles',
			"{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
		],
		['a long list', '{{ [1] * 1000000000 }}'],
		[
			'a list that doubles',
			'{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}',
		],
		['a wide column', "{{ 'x'.ljust(1000000000) }}{{ '%1000000000d' % 1 }}"],
		['a wide indentation', "{{ 'a\\nb' | indent(1000000000) }}"],
		['a large batch', '{{ [1] | batch(1000000000, 0) }}'],
		['an endless macro', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
		['loops in loops', '{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}'],
	])('%s', (_, source) => {
		expect(() => render(source)).toThrow();
	});
});

test('a long text, character by character', () => {
	const x = '漢'.repeat(200_000);
	expect(render('{% for c in x %}{{ c }}{% endfor %}{{ x[::-1] | length }}', {x}).value).toBe(`${x}200000`);
});

test('many digits that are no number, and many zeros that are no format', () => {
	const x = `${'1'.repeat(400_000)}x`;
	expect(render('{{ x | int }}', {x}).value).toBe('0');
	expect(render('{{ x % {} }}', {x: `%${'0'.repeat(400_000)}q`}).value).toHaveLength(400_002);
});

test('an empty list repeated often is empty', () => {
	expect(render('{{ ([] * 100000000000) | length }}').value).toBe('0');
});

describe('text knows whether it is the template', () => {
	/** What was not the template's own, in brackets. */
	const marked = (source: string, given: object = {x: 'user'}) => {
		const text = render(source, given);
		let result = '';
		for (let i = 0; i < text.value.length; i++) {
			const [own, before] = [text.isOwn(i, i + 1), i === 0 || text.isOwn(i - 1, i)];
			result += (before && !own ? '[' : '') + (!before && own ? ']' : '') + text.value[i];
		}
		return text.isOwn(text.value.length - 1) || text.value === '' ? result : `${result}]`;
	};

	test.each([
		['a{{ x }}b', 'a[user]b'],
		["{{ 'a' + x + 'b' }}", 'a[user]b'],
		["{{ 'a' ~ x }}", 'a[user]'],
		["{{ ('a' ~ x ~ 'b')[1:4] }}", '[use]'],
		["{{ (' ' ~ x ~ 'b') | trim }}", '[user]b'],
		['{{ x | upper }}', '[USER]'],
		["{{ 'a<br>b' | replace('<br>', x) }}", 'a[user]b'],
		["{{ x | replace('s', '<s>') }}", '[u]<s>[er]'],
		["{{ x.split('s') | join('<s>') }}", '[u]<s>[er]'],
		["{{ [x, 'a'] | join(x) }}", '[useruser]a'],
		['{{ x | tojson }}', '"[user]"'],
		["{{ {'k': [x]} | tojson }}", '{"k": ["[user]"]}'],
		['{{ {x: 1} | tojson(indent=1) }}', '{\n "[user]": 1\n}'],
		['{{ [x] }}', "['[user]']"],
		["{{ 'a{}b{k}'.format(x, k=x) }}", 'a[user]b[user]'],
		["{{ 'a%sb' % x }}", 'a[user]b'],
		['{% set y %}a{{ x }}{% endset %}{{ y }}b', 'a[user]b'],
		['{% macro m(y) %}a{{ y }}{% endmacro %}{{ m(x) }}b', 'a[user]b'],
		['{% for c in x %}{{ c }}-{% endfor %}', '[u]-[s]-[e]-[r]-'],
		['{{ x[::-1] }}a', '[resu]a'],
		["{{ ('a' ~ x) | indent(2, true) }}", '  a[user]'],
		["{{ ('a' ~ x).center(9) }}", '  a[user]  '],
		["{{ ('ß' ~ x) | upper }}", '[SSUSER]'],
		["{{ [x] | map('upper') | first }}", '[USER]'],
		["{{ [{'n': x}] | map(attribute='n') | first }}", '[user]'],
		["{{ x | default('a') }}{{ y | default('a') }}", '[user]a'],
	])('%s', (source, expected) => {
		expect(marked(source)).toBe(expected);
	});
});
