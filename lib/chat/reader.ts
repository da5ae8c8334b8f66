import {ChatTemplate} from './template.js';

/**
The chat template of a model directory. It is read with the rest of the model, whose directory may be gone later; what
could not be read is read again when it is asked for, as the advice of the error may have been followed.
*/
export class TemplateReader {
	readonly #directory: string;
	#template: ChatTemplate | undefined;

	private constructor(directory: string) {
		this.#directory = directory;
	}

	/** Does not fail: a model without a template continues plain text all the same. */
	static async open(directory: string): Promise<TemplateReader> {
		const reader = new TemplateReader(directory);
		await reader.get().catch(() => undefined);
		return reader;
	}

	/** @throws as `ChatTemplate.load()` */
	async get(): Promise<ChatTemplate> {
		this.#template ??= await ChatTemplate.load(this.#directory);
		return this.#template;
	}
}
