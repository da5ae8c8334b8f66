import type {ChatMessage, GenerateOptions, Model} from '../index.js';

/** What was said so far, and one reply at a time. */
export class Conversation {
	readonly messages: ChatMessage[];
	readonly #model: Model;
	readonly #options: GenerateOptions;
	#reply: AbortController | undefined;

	constructor(model: Model, options: GenerateOptions, system?: string) {
		this.#model = model;
		this.#options = options;
		this.messages = system === undefined ? [] : [{role: 'system', content: system}];
	}

	get isReplying(): boolean {
		return this.#reply !== undefined;
	}

	/** Ends the reply that is being written, if there is one. */
	stopReply(): boolean {
		this.#reply?.abort();
		return this.isReplying;
	}

	/** Says something and shows the reply as it comes. What was shown of a stopped reply stays in the conversation. */
	async say(content: string, show: (text: string) => Promise<void>): Promise<void> {
		this.messages.push({role: 'user', content});
		const reply = new AbortController();
		this.#reply = reply;
		let text = '';
		try {
			for await (const chunk of this.#model.chat(this.messages, {...this.#options, signal: reply.signal})) {
				text += chunk.text;
				await show(chunk.text);
			}
		} catch (error) {
			if (error !== reply.signal.reason) throw error;
		} finally {
			this.#reply = undefined;
		}
		this.messages.push({role: 'assistant', content: text});
		await show('\n');
	}
}
