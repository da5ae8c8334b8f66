import {ExlError} from '../errors/index.js';
import {TemplateRefusal, templateGlobals} from './globals.js';
import {Environment, Interpreter, type Program, parse, tokenize} from './jinja.js';
import {type ChatMessage, parseMessages} from './messages.js';
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

/** Turns a conversation into the text the model was trained on, by the model's own Jinja template. */
export class ChatTemplate {
	readonly #programs: ReadonlyMap<string, Program>;
	readonly #tokens: {readonly bos_token: string; readonly eos_token: string};

	/** @throws {ExlError} `EXL_MODEL_UNSUPPORTED` without a template, `EXL_MODEL_INVALID` for one that is not Jinja. */
	constructor({templates, bosToken = '', eosToken = ''}: TemplateSource) {
		this.#programs = new Map(Object.entries(templates).map(([name, source]) => [name, compile(name, source)]));
		this.#tokens = {bos_token: bosToken, eos_token: eosToken};
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

	/**
	The text to encode with `encodeSpecial: true`. Most templates write the BOS token themselves.

	@throws {ExlError} `EXL_INVALID_ARGUMENT` for messages of the wrong shape or that the template refuses,
	`EXL_MODEL_INVALID` if the template fails.
	*/
	render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
		const {addGenerationPrompt = true, tools, variables = {}, now = new Date()} = options;
		const context = {
			...templateGlobals(now),
			...this.#tokens,
			...variables,
			messages: parseMessages(messages),
			add_generation_prompt: addGenerationPrompt,
			// Null, not undefined: what Hugging Face's own rendering passes, so what templates are tested with.
			tools: tools ?? null,
			documents: variables['documents'] ?? null,
		};
		const program = this.#choose(tools !== undefined);

		try {
			const environment = new Environment();
			for (const [name, value] of Object.entries(context)) environment.set(name, value);
			return new Interpreter(environment).run(program).value;
		} catch (cause) {
			const {message} = cause as Error;
			if (cause instanceof TemplateRefusal) {
				throw new ExlError('EXL_INVALID_ARGUMENT', `The chat template refuses these messages: ${message}`, {cause});
			}
			throw new ExlError('EXL_MODEL_INVALID', `The chat template fails on these messages: ${message}`, {cause});
		}
	}

	#choose(tools: boolean): Program {
		const program = (tools && this.#programs.get('tool_use')) || this.#programs.get('default');
		if (program) return program;
		const names = [...this.#programs.keys()].join(', ');
		throw new ExlError('EXL_MODEL_UNSUPPORTED', `The model has no default chat template, only ${names}`);
	}
}

function compile(name: string, source: string): Program {
	try {
		return parse(tokenize(source, {lstrip_blocks: true, trim_blocks: true}));
	} catch (cause) {
		const message = `The chat template "${name}" is not valid Jinja: ${(cause as Error).message}`;
		throw new ExlError('EXL_MODEL_INVALID', message, {cause});
	}
}
