import {addAbortSignal} from 'node:stream';
import {ExlError, type GenerateResult, type Model} from '../index.js';
import {type CommonFlags, type GenerationFlags, generateOptions} from './flags.js';
import {decimal, memoryLine} from './format.js';
import {withModel} from './load.js';
import type {Terminal} from './terminal.js';

export type GenerateFlags = CommonFlags & GenerationFlags & {readonly prompt?: string; readonly bos: boolean};

export async function generate(name: string, flags: GenerateFlags, terminal: Terminal): Promise<void> {
	const prompt = await readPrompt(flags.prompt, terminal);
	const addBos = flags.bos ? undefined : false;
	const options = {...generateOptions(flags), addBos, signal: terminal.signal};

	await withModel(name, flags, terminal, async model => {
		if (flags.json) await terminal.writeJson(await model.complete(prompt, options));
		else await stream(model, prompt, options, terminal);
	});
}

async function stream(model: Model, prompt: string, options: object, terminal: Terminal): Promise<void> {
	const generation = model.generate(prompt, options);
	for await (const {text} of generation) await terminal.write(text);
	if (process.stdout.isTTY) await terminal.write('\n');
	terminal.note(summary(await generation.result));
	terminal.note(memoryLine());
}

/** @throws {ExlError} `EXL_INVALID_ARGUMENT` if there is none. */
async function readPrompt(flag: string | undefined, terminal: Terminal): Promise<string> {
	if (flag !== undefined && flag !== '-') return flag;
	if (flag === undefined && terminal.stdin.isTTY) {
		throw new ExlError('EXL_INVALID_ARGUMENT', 'there is no prompt: give --prompt TEXT, or pipe one in');
	}
	let text = '';
	addAbortSignal(terminal.signal, terminal.stdin.setEncoding('utf8'));
	for await (const chunk of terminal.stdin) text += chunk;
	// `echo` and editors end a text with a line break that nobody meant.
	return text.replace(/\r?\n$/, '');
}

function summary({promptTokens, cachedTokens, completionTokens, finishReason, timings}: GenerateResult): string {
	const cached = cachedTokens > 0 ? ` (${cachedTokens} from the cache)` : '';
	const prompt = `prompt ${promptTokens} tokens${cached}, ${decimal(timings.promptTokensPerSecond)} tokens/s`;
	const reply = `generated ${completionTokens} tokens, ${decimal(timings.tokensPerSecond)} tokens/s`;
	return `${prompt}; ${reply}; ended by ${finishReason}`;
}
