import {readFile} from 'node:fs/promises';
import {ExlError, type Model} from '../index.js';
import type {CommonFlags} from './flags.js';
import {facts} from './format.js';
import {withModel} from './load.js';
import {Progress} from './progress.js';
import type {Terminal} from './terminal.js';

export type PerplexityFlags = CommonFlags & {
	readonly file?: string;
	readonly tokens?: string;
	readonly length?: number;
};

type Perplexity = {readonly tokens: number; readonly meanNll: number; readonly perplexity: number};

export async function perplexity(name: string, flags: PerplexityFlags, terminal: Terminal): Promise<void> {
	const {file, tokens, length} = flags;
	if ((file === undefined) === (tokens === undefined)) {
		throw new ExlError('EXL_INVALID_ARGUMENT', 'perplexity takes either --file or --tokens');
	}
	const text = file === undefined ? undefined : await read('--file', file);
	const given = tokens === undefined ? undefined : parseIds(await read('--tokens', tokens), tokens);
	// No larger than one window; validated by the library.
	const cacheTokens = flags.cacheTokens ?? length ?? given?.length;

	const load = {...flags, ...(cacheTokens !== undefined && {cacheTokens})};
	const result = await withModel(name, load, terminal, async model => {
		const ids = given ?? model.tokenizer.encode(text!);
		const window = length ?? given?.length ?? Math.min(model.contextTokens, model.cacheTokens);
		return scoreWindows(model, ids, window, terminal);
	});
	if (flags.json) return terminal.writeJson(result);
	const rows = [
		['tokens', String(result.tokens)],
		['mean NLL', result.meanNll.toFixed(6)],
		['perplexity', result.perplexity.toFixed(6)],
	] as const;
	await terminal.write(`${facts(rows)}\n`);
}

/** Windows do not overlap; the first token of each is given, not predicted. A rest of one token is left out. */
async function scoreWindows(
	model: Model,
	ids: readonly number[],
	length: number,
	{signal}: Terminal,
): Promise<Perplexity> {
	const progress = new Progress('scoring');
	let tokens = 0;
	let nll = 0;
	try {
		for (let at = 0; at === 0 || at + 1 < ids.length; at += length) {
			const result = await model.score(ids.slice(at, at + length), {signal});
			tokens += result.tokens;
			nll += result.meanNll * result.tokens;
			progress.update(Math.min(at + length, ids.length), ids.length);
		}
	} finally {
		progress.stop();
	}
	const meanNll = nll / tokens;
	return {tokens, meanNll, perplexity: Math.exp(meanNll)};
}

async function read(flag: string, file: string): Promise<string> {
	try {
		return await readFile(file, 'utf8');
	} catch (cause) {
		throw new ExlError('EXL_INVALID_ARGUMENT', `${flag} cannot be read: ${(cause as Error).message}`, {cause});
	}
}

function parseIds(text: string, file: string): number[] {
	let ids: unknown;
	try {
		ids = JSON.parse(text);
	} catch {
		// Falls through to the same complaint as JSON of another kind.
	}
	if (Array.isArray(ids) && ids.every(id => Number.isInteger(id))) return ids;
	throw new ExlError('EXL_INVALID_ARGUMENT', `--tokens: ${file} must hold a JSON array of token ids`);
}
