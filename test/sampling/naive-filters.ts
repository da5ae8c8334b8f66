// What filters should do, without tries, states and masks: texts are strings of one character per byte.

import type {TextFilter} from '../../lib/native/index.js';

/** One character per byte. */
export const bytesOf = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

export type Constraint = {
	/** By id, in bytes; empty for those that are not text. */
	readonly tokens: readonly string[];
	readonly filters: readonly TextFilter[];
	readonly endIds: readonly number[];
	/** What the first draw begins with. */
	readonly healed?: string;
};

/** Ids that may be drawn after these. */
export function mayFollow(constraint: Constraint, drawn: readonly number[]): number[] {
	const {tokens, endIds} = constraint;
	if (drawn.some(id => endIds.includes(id))) return [...endIds].sort((a, b) => a - b);
	const ids = tokens.map((_, id) => id);
	return ids.filter(id => constraint.filters.every(filter => allows(filter, constraint, drawn, id)));
}

/** What the filters see of the draws. */
export function textOf({tokens, healed = ''}: Constraint, drawn: readonly number[]): string {
	return drawn
		.map(id => tokens[id])
		.join('')
		.slice(healed.length);
}

function allows({texts, open}: TextFilter, constraint: Constraint, drawn: readonly number[], id: number): boolean {
	const {tokens, endIds, healed = ''} = constraint;
	const wanted = texts.map(bytesOf);
	const before = textOf(constraint, drawn);
	const done = wanted.some(text => (open ? before.startsWith(text) : before === text));
	if (open && done) return true;
	if (endIds.includes(id)) return done;
	const token = tokens[id]!;
	if (token === '' || (drawn.length === 0 && !token.startsWith(healed))) return false;
	const after = textOf(constraint, [...drawn, id]);
	const rest = wanted.filter(text => text.startsWith(after)).map(text => text.slice(after.length));
	if (open && wanted.some(text => after.startsWith(text))) return true;
	return rest.some(text => spells(tokens, text, Boolean(open)));
}

/** Whether tokens spell a text, the last of which may go on if it is open. */
export function spells(tokens: readonly string[], text: string, open: boolean): boolean {
	if (text === '') return true;
	return tokens.some(token => {
		if (token === '') return false;
		if (open && token.startsWith(text)) return true;
		return text.startsWith(token) && spells(tokens, text.slice(token.length), open);
	});
}
