export type AddedToken = {
	readonly id: number;
	readonly content: string;
	readonly special: boolean;
	readonly normalized: boolean;
	/** Only where no letter, digit or underscore is next to it. */
	readonly single_word: boolean;
	/** Takes white space before it in. */
	readonly lstrip: boolean;
	/** Takes white space after it in. */
	readonly rstrip: boolean;
};

/** A part of a text that begins at `start`: an added token, or what is between them. */
export type Section = {readonly start: number; readonly end: number; readonly token?: AddedToken};

type Branch = {readonly next: Map<string, Branch>; token?: AddedToken};

const wordBefore = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const wordAfter = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/** Finds added tokens in a text: the leftmost first, and of those that begin at one place the longest. */
export class AddedTokens {
	readonly #root: Branch = {next: new Map()};

	/** @param spelling How a token is written where it is looked for. */
	constructor(tokens: readonly AddedToken[], spelling: (token: AddedToken) => string = token => token.content) {
		for (const token of tokens) {
			let branch = this.#root;
			for (const unit of spelling(token).split('')) {
				const next = branch.next.get(unit) ?? {next: new Map()};
				branch.next.set(unit, next);
				branch = next;
			}
			if (branch !== this.#root) branch.token = token;
		}
	}

	/** @param allows Whether what is spelled from one code unit to another is this token. */
	split(text: string, allows: (token: AddedToken, start: number, end: number) => boolean): Section[] {
		const sections: Section[] = [];
		let done = 0;
		for (let at = 0; at < text.length; ) {
			const found = this.#longestAt(text, at, allows);
			if (!found) {
				at++;
				continue;
			}
			const {token} = found;
			const before = token.lstrip ? done + endOfText(text.slice(done, at)) : at;
			const end = token.rstrip ? found.end + startOfText(text.slice(found.end)) : found.end;
			if (before > done) sections.push({start: done, end: before});
			sections.push({start: before, end, token});
			done = end;
			at = end;
		}
		if (done < text.length) sections.push({start: done, end: text.length});
		return sections;
	}

	#longestAt(
		text: string,
		start: number,
		allows: (token: AddedToken, start: number, end: number) => boolean,
	): {readonly token: AddedToken; readonly end: number} | undefined {
		let found: {token: AddedToken; end: number} | undefined;
		let branch: Branch | undefined = this.#root;
		for (let end = start; branch; ) {
			const {token}: Branch = branch;
			if (token && stands(token, text, start, end) && allows(token, start, end)) found = {token, end};
			branch = branch.next.get(text[end] ?? '');
			end++;
		}
		return found;
	}
}

function stands(token: AddedToken, text: string, start: number, end: number): boolean {
	if (!token.single_word) return true;
	return !wordBefore.test(text.slice(Math.max(0, start - 2), start)) && !wordAfter.test(text.slice(end, end + 2));
}

const space = /\p{White_Space}/u;

/** Where the white space at the start of a text ends. */
export function startOfText(text: string): number {
	let at = 0;
	while (at < text.length && space.test(text[at]!)) at++;
	return at;
}

/** Where the white space at the end of a text begins. Not a pattern: that would try each run of white space from each of its places. */
export function endOfText(text: string): number {
	let at = text.length;
	while (at > 0 && space.test(text[at - 1]!)) at--;
	return at;
}
