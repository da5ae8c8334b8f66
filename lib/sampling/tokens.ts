import * as v from 'valibot';
import {integer} from '../options/index.js';

/** Single tokens, by their ids. */
export type TokenOptions = {
	/** Added to the logits of these ids, after the penalties. Finite: use `bannedTokens` for never. @default none */
	readonly logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number> | undefined;

	/** The only ids that may be drawn, which then must include one that ends the text, or `maxTokens` will. @default all */
	readonly allowedTokens?: readonly number[] | undefined;

	/** Ids that are never drawn. @default none */
	readonly bannedTokens?: readonly number[] | undefined;
};

const largestId = 2 ** 31 - 1;
const tokenIds = v.array(integer(0, largestId), 'a list of token ids');

const pairsOf = (value: object): (readonly [unknown, unknown])[] =>
	value instanceof Map
		? [...value]
		: Object.entries(value).map(([key, bias]) => [key === '' ? key : Number(key), bias]);

const isBias = (value: unknown) =>
	typeof value === 'object' &&
	value !== null &&
	!Array.isArray(value) &&
	pairsOf(value).every(([id, bias]) => {
		const isId = Number.isInteger(id) && (id as number) >= 0 && (id as number) <= largestId;
		return isId && Number.isFinite(bias) && Number.isFinite(Math.fround(bias as number));
	});

/** As an object, which messages between processes can carry. */
const logitBias = v.pipe(
	v.custom<Readonly<Record<number, number>> | ReadonlyMap<number, number>>(
		isBias,
		'an object or a Map from token ids to numbers',
	),
	v.transform(value => Object.fromEntries(pairsOf(value)) as Readonly<Record<number, number>>),
);

export const tokenEntries = {
	logitBias: v.optional(logitBias),
	allowedTokens: v.optional(v.pipe(tokenIds, v.minLength(1, 'a list of at least one token id'))),
	bannedTokens: v.optional(tokenIds),
};
