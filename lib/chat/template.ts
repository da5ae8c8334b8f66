import {ExlError} from '../errors/index.js';
import {TemplateRefusal, templateGlobals} from './globals.js';
import {Dict, type Node, parseTemplate, renderTemplate, Text, templateValue, type Value} from './jinja/index.js';
import {type ChatMessage, joinParts, parseMessages, partTexts} from './messages.js';
import {readTemplateSource, type TemplateSource} from './source.js';

export type RenderOptions = {
	/** Whether the text ends where the assistant's reply begins. @default true */
	readonly addGenerationPrompt?: boolean | undefined;

	/** Functions the model may call, as JSON schemas in the form of the OpenAI API. */
	readonly tools?: readonly object[] | undefined;

	/** More variables for the template, such as `enable_thinking` or `date_string`. */
	readonly variables?: Readonly<Record<string, unknown>> | undefined;

	/** What the template takes for the current time. @default the current time */
	readonly now?: Date | undefined;
};

/** The text of a conversation, which knows what of it is the template's own and what people and tools said. */
export type RenderedText = {
	readonly value: string;
	/** Whether all from one code unit up to another was written by the template. Only there are special tokens meant. */
	isOwn(start: number, end: number): boolean;
};

/** Turns a conversation into the text the model was trained on, by the model's own Jinja template. */
export class ChatTemplate {
	readonly #programs: ReadonlyMap<string, readonly Node[]>;
	readonly #tokens: Readonly<Record<string, Value>>;

	/** @throws {ExlError} `EXL_MODEL_UNSUPPORTED` without a template, `EXL_MODEL_INVALID` for one that is not Jinja. */
	constructor({templates, tokens = {}}: TemplateSource) {
		this.#programs = new Map(Object.entries(templates).map(([name, source]) => [name, compile(name, source)]));
		this.#tokens = Object.fromEntries(
			Object.entries({bos_token: '', eos_token: '', ...tokens}).map(([name, text]) => [name, Text.own(text)]),
		);
		if (this.#programs.size === 0) {
			const advice = 'continue plain text with generate(), or put a chat_template.jinja into the model directory';
			throw new ExlError('EXL_MODEL_UNSUPPORTED', `The model has no chat template: ${advice}`);
		}
	}

	/**
	Reads chat_template.jinja, or else `chat_template` of tokenizer_config.json.

	@throws {ExlError} As the constructor, and `EXL_FORMAT_INVALID` for a damaged tokenizer_config.json.
	*/
	static async load(directory: string): Promise<ChatTemplate> {
		return new ChatTemplate(await readTemplateSource(directory));
	}

	/** The text alone. @throws as `write` */
	render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
		return this.write(messages, options).value;
	}

	/**
	The text to encode, with special tokens only where it is the template's own. Most templates write the BOS token
	themselves.

	@throws {ExlError} `EXL_INVALID_ARGUMENT` for messages of the wrong shape or that the template refuses,
	`EXL_MODEL_INVALID` if the template fails.
	*/
	write(messages: readonly ChatMessage[], options: RenderOptions = {}): RenderedText {
		const parsed = parseMessages(messages);
		const texts = partTexts(parsed);
		if (texts.length === 0) return this.#written(parsed, options);
		return this.#writtenInParts(parsed, texts, options) ?? this.#written(joinParts(parsed), options);
	}

	/** Nothing if the template does not know contents of several parts. */
	#writtenInParts(messages: ChatMessage[], texts: readonly string[], options: RenderOptions): Text | undefined {
		let text: Text;
		try {
			text = this.#written(messages, options);
		} catch {
			return undefined;
		}
		if (!texts.every(part => text.value.includes(part.trim()))) return undefined;
		const lists = [...text.value.matchAll(/\[\{(['"])type\1/g)];
		return lists.some(({index}) => text.isOwn(index, index + 2)) ? undefined : text;
	}

	#written(messages: readonly ChatMessage[], options: RenderOptions): Text {
		const {addGenerationPrompt = true, tools, variables = {}, now = new Date()} = options;
		const program = this.#choose(tools !== undefined);
		try {
			const given = Object.entries(variables).filter(([, value]) => value !== undefined);
			const values = {
				...templateGlobals(now),
				...this.#tokens,
				...Object.fromEntries(given.map(([name, value]) => [name, templateValue(value)])),
				messages: messages.map(messageValue),
				add_generation_prompt: addGenerationPrompt,
				// None, not undefined: what Hugging Face's own rendering passes, so what templates are tested with.
				tools: templateValue(tools ?? null),
				documents: templateValue(variables['documents'] ?? null),
			};
			return renderTemplate(program, values, messages.length);
		} catch (cause) {
			const {message} = cause as Error;
			if (cause instanceof TemplateRefusal) {
				throw new ExlError('EXL_INVALID_ARGUMENT', `The chat template refuses these messages: ${message}`, {cause});
			}
			throw new ExlError('EXL_MODEL_INVALID', `The chat template fails on these messages: ${message}`, {cause});
		}
	}

	#choose(tools: boolean): readonly Node[] {
		const program = (tools && this.#programs.get('tool_use')) || this.#programs.get('default');
		if (program) return program;
		const names = [...this.#programs.keys()].join(', ');
		throw new ExlError('EXL_MODEL_UNSUPPORTED', `The model has no default chat template, only ${names}`);
	}
}

/** Roles are the program's, and templates make special tokens of them (`<|user|>`); but only of names. */
function messageValue(message: ChatMessage): Value {
	const trusted = /^[\w-]+$/.test(message.role);
	const given = templateValue(message);
	if (trusted && given instanceof Dict) given.set(Text.own('role'), Text.own(message.role));
	return given;
}

function compile(name: string, source: string): readonly Node[] {
	try {
		return parseTemplate(source);
	} catch (cause) {
		const message = `The chat template "${name}" is not valid Jinja: ${(cause as Error).message}`;
		throw new ExlError('EXL_MODEL_INVALID', message, {cause});
	}
}
