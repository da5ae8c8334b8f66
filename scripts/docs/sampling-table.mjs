// @ts-check

// The table of docs/sampling.md: names, ranges and defaults from the schema that checks the options, words from the
// comments of their types.

import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const folder = path.join(root, 'lib/sampling');

/**
 * A schema of valibot, as far as it is looked at here.
 * @typedef {{message?: unknown, wrapped?: Schema, pipe?: readonly Schema[], entries?: Record<string, Schema>, default?: unknown}} Schema
 */

/**
 * Options of `generate()`, one to a row. Throws if one of them has no words.
 * @param {Schema} schema
 */
export function samplingTable(schema) {
	const comments = readComments();
	const rows = rowsOf(schema, '', comments);
	return ['| option | takes | default | |', '|---|---|---|---|', ...rows].join('\n');
}

/** @param {Schema} schema @param {string} before @param {Map<string, string>} comments @returns {string[]} */
function rowsOf(schema, before, comments) {
	const entries = containerOf(schema)?.entries ?? {};
	return Object.entries(entries).flatMap(([name, entry]) => {
		const option = before + name;
		const comment = comments.get(option);
		if (comment === undefined && before === '') throw new Error(`lib/sampling has no comment for ${option}`);
		const [words = '', said] = (comment ?? '').split('@default').map(text => text.trim().replace(/\s+/g, ' '));
		const takes = String(phraseOf(entry));
		const cells = [`\`${option}\``, takes, defaultOf(option, entry, said), words];
		return [
			`| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`,
			...rowsOf(entry, `${option}.`, comments),
		];
	});
}

/** @param {string} option @param {Schema} entry @param {string | undefined} said In its comment. */
function defaultOf(option, entry, said) {
	if (entry.wrapped === undefined) return 'required';
	const value = entry.default === undefined ? '' : String(entry.default);
	if (said !== undefined && !said.startsWith(value)) {
		throw new Error(`the comment of ${option} says that its default is ${said}, the schema that it is ${value}`);
	}
	return said ?? value;
}

/** What completes "must be". @param {Schema} schema @returns {unknown} */
function phraseOf(schema) {
	if (schema.wrapped) return phraseOf(schema.wrapped);
	const said = schema.pipe?.map(part => part.message).filter(message => typeof message === 'string');
	return said?.at(-1) ?? schema.message;
}

/** @param {Schema | undefined} schema @returns {Schema | undefined} */
function containerOf(schema) {
	if (schema?.wrapped) return containerOf(schema.wrapped);
	return schema?.pipe?.find(part => part.entries) ?? schema;
}

/** Comments of properties, by name; those of a type of its own (`DryOptions`) by `dry.name`. */
function readComments() {
	/** @type {Map<string, string>} */
	const comments = new Map();
	for (const file of readdirSync(folder)) {
		const source = readFileSync(path.join(folder, file), 'utf8');
		for (const [, type = '', body = ''] of source.matchAll(/^export type (\w+) = \{$([\s\S]*?)^\};$/gm)) {
			const before = type === 'DryOptions' ? 'dry.' : '';
			for (const [, comment = '', name] of body.matchAll(/^\t\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*readonly (\w+)/gm))
				comments.set(`${before}${name}`, comment);
		}
	}
	return comments;
}
