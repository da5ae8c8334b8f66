import * as v from 'valibot';
import {ExlError} from '../errors/index.js';
import {optionsOf} from '../options/index.js';

/**
What the text has to be, whatever the model would rather write. It begins right after the prompt: where the prompt does
not end in a space, a word is usually `' yes'`.
*/
export type Filter =
	/** One of these, from its first to its last character. */
	| {readonly select: readonly string[]; readonly prefix?: undefined}
	/** This, and then anything. */
	| {readonly prefix: string; readonly select?: undefined};

export type FilterOptions = {
	/** Everything the text has to be at once. `stop` and `maxTokens` may end it before. @default none */
	readonly filters?: readonly Filter[] | undefined;
};

const text = v.custom<string>(
	value => typeof value === 'string' && value !== '' && !/\p{Surrogate}/u.test(value),
	'a non-empty string of whole characters',
);

const filter = v.pipe(
	optionsOf({
		select: v.optional(v.pipe(v.array(text, 'a list of strings'), v.minLength(1, 'a list of at least one string'))),
		prefix: v.optional(text),
	}),
	v.check(({select, prefix}) => (select === undefined) !== (prefix === undefined), 'either {select} or {prefix}'),
) as v.GenericSchema<unknown> as v.GenericSchema<Filter>;

export const filterEntries = {
	filters: v.optional(v.array(filter, 'a list of filters')),
};

/** Texts, of which a text is one or, if they are `open`, begins with one. */
export type AllowedTexts = {readonly texts: readonly string[]; readonly open: boolean};

/**
What several filters leave. It is one list rather than a test of each on its own, which would only find out in the
middle of a text that they contradict each other.

@throws {ExlError} `EXL_INVALID_ARGUMENT` if they leave nothing.
*/
export function allowedTexts(filters: readonly Filter[]): AllowedTexts {
	const all = filters.map(({select, prefix}) =>
		select ? {texts: select, open: false} : {texts: [prefix], open: true},
	);
	const left = all.reduce(common, {texts: [''], open: true});
	if (left.texts.length > 0) return left;
	throw new ExlError('EXL_INVALID_ARGUMENT', 'filters contradict each other: no text is all that they want', {
		op: 'filters',
	});
}

function common(a: AllowedTexts, b: AllowedTexts): AllowedTexts {
	if (!a.open && b.open) return common(b, a);
	const beginsLike = (text: string, {texts}: AllowedTexts) => texts.some(start => text.startsWith(start));
	if (a.open && b.open) {
		const longer = [...a.texts.filter(text => beginsLike(text, b)), ...b.texts.filter(text => beginsLike(text, a))];
		return {texts: [...new Set(longer)], open: true};
	}
	const both = new Set(a.texts);
	return {texts: b.texts.filter(text => (a.open ? beginsLike(text, a) : both.has(text))), open: false};
}
