import {Handle} from '../memory/index.js';
import {addon, type NativeHandle} from '../native/index.js';
import type {Tokenizer} from '../tokenizer/index.js';

/** What filters know the tokens of a model by, natively. Made when a filter first needs it. */
export class Vocabulary {
	readonly #tokenizer: Tokenizer;
	#handle: Handle | undefined;

	constructor(tokenizer: Tokenizer) {
		this.#tokenizer = tokenizer;
	}

	get id(): NativeHandle {
		if (!this.#handle) {
			const {bytes, offsets} = this.#tokenizer.texts;
			this.#handle = new Handle(addon().createVocabulary(bytes, offsets), 'the vocabulary');
		}
		return this.#handle.id;
	}

	/** Samplers that use it keep what they need. */
	release(): void {
		this.#handle?.release();
	}
}
