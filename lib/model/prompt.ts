import type {ChatMessage, TemplateReader} from '../chat/index.js';
import {ExlError} from '../errors/index.js';
import type {EncodeOptions, Tokenizer} from '../tokenizer/index.js';

/** Text to continue, or its token ids. */
export type Prompt = string | readonly number[];

/**
The tokens of a prompt.

@throws {ExlError} `EXL_INVALID_ARGUMENT` if there are none, or one that the model does not have.
*/
export function encodePrompt(
	prompt: Prompt,
	options: EncodeOptions,
	tokenizer: Tokenizer,
	vocabulary: number,
): readonly number[] {
	const ids = typeof prompt === 'string' ? tokenizer.encode(prompt, options) : prompt;
	if (!Array.isArray(ids)) {
		throw new ExlError('EXL_INVALID_ARGUMENT', 'the prompt must be a string or a list of token ids');
	}
	if (ids.length === 0) throw new ExlError('EXL_INVALID_ARGUMENT', 'the prompt is empty');
	const wrong = ids.findIndex(id => !Number.isInteger(id) || id < 0 || id >= vocabulary);
	if (wrong < 0) return ids;
	const message = `token ${wrong} of the prompt is ${String(ids[wrong])}, expected 0 to ${vocabulary - 1}`;
	throw new ExlError('EXL_INVALID_ARGUMENT', message);
}

/**
The tokens of a conversation, written out by the model's own chat template. Special tokens are only those that the
template itself writes: what people and tools say is text, whatever it spells.

@throws {ExlError} as `ChatTemplate.write()` and `encodePrompt()`; `EXL_MODEL_UNSUPPORTED` without a template.
*/
export async function encodeChat(
	templates: TemplateReader,
	messages: readonly ChatMessage[],
	addBos: boolean | undefined,
	tokenizer: Tokenizer,
	vocabulary: number,
): Promise<readonly number[]> {
	const rendered = (await templates.get()).write(messages);
	const ids = tokenizer.encodeWhere(rendered.value, (start, end) => rendered.isOwn(start, end), addBos);
	return encodePrompt(ids, {}, tokenizer, vocabulary);
}
