import {type ChatMessage, type GenerateOptions, isExlError, type Model} from '../index.js';

export type Shows = {
	/** A piece of the reply. */
	text(text: string): Promise<void>;
	/** Something about the conversation, in a line. */
	note(line: string): void;
};

/** What was said so far, and one reply at a time. */
export class Conversation {
	/** All messages, those included that are left out of prompts. */
	readonly messages: ChatMessage[];
	readonly #model: Model;
	readonly #options: GenerateOptions;
	/** Messages of the system, which are never left out. */
	readonly #system: number;
	/** The first message that is not left out. */
	#first: number;
	/** Estimated tokens of the messages that are not left out. */
	#tokens = 0;
	#reply: AbortController | undefined;

	constructor(model: Model, options: GenerateOptions, system?: string) {
		this.#model = model;
		this.#options = options;
		this.messages = system === undefined ? [] : [{role: 'system', content: system}];
		this.#system = this.messages.length;
		this.#first = this.#system;
	}

	get isReplying(): boolean {
		return this.#reply !== undefined;
	}

	/** Ends the reply that is being written, if there is one. */
	stopReply(): boolean {
		this.#reply?.abort();
		return this.isReplying;
	}

	/**
	Says something and shows the reply as it comes. What was shown of a stopped reply stays in the conversation. Where it
	does not fit any more, the oldest turns are left out.

	@throws {ExlError} `EXL_CONTEXT_LENGTH` or `EXL_CACHE_FULL` if what is said does not fit by itself.
	*/
	async say(content: string, shows: Shows): Promise<void> {
		const before = this.#first;
		const tokens = this.#tokens;
		this.messages.push({role: 'user', content});
		this.#makeRoom(content);
		for (;;) {
			try {
				await this.#answer(shows, before);
				return;
			} catch (error) {
				if (isTooLong(error) && this.#leaveOut()) continue;
				this.#first = before;
				this.#tokens = tokens;
				throw error;
			}
		}
	}

	/** Takes back what was said last and got no reply. */
	unsay(): void {
		this.messages.pop();
	}

	/** @param before The first message that was not left out before this turn. */
	async #answer({text: show, note}: Shows, before: number): Promise<void> {
		const reply = new AbortController();
		this.#reply = reply;
		const told = [...this.messages.slice(0, this.#system), ...this.messages.slice(this.#first)];
		const stream = this.#model.chat(told, {...this.#options, signal: reply.signal});
		let text = '';
		let began = false;
		const begin = () => {
			const leftOut = this.#first - this.#system;
			if (!began && this.#first > before)
				note(`the conversation is too long: its ${leftOut} oldest messages are left out`);
			began = true;
		};
		try {
			for await (const chunk of stream) {
				begin();
				text += chunk.text;
				await show(chunk.text);
			}
			begin();
			const {promptTokens, completionTokens} = await stream.result;
			this.#tokens = promptTokens + completionTokens;
		} catch (error) {
			if (error !== reply.signal.reason) throw error;
			this.#tokens += this.#count(text);
		} finally {
			this.#reply = undefined;
			if (began || reply.signal.aborted) this.messages.push({role: 'assistant', content: text});
		}
		await show('\n');
	}

	/**
	Leaves out what a reply of some length will need, by estimate: a template adds a few tokens to each message. More than
	that, as with each that goes the rest has to be computed again.
	*/
	#makeRoom(content: string): void {
		const {contextTokens, cacheTokens} = this.#model;
		const room = Math.min(contextTokens, cacheTokens);
		const wanted = Math.min(this.#options.maxTokens ?? room, room / 4);
		this.#tokens += this.#count(content);
		const most = this.#tokens + wanted > room ? (room * 3) / 4 : room;
		for (let at = this.#first; this.#tokens + wanted > most && this.#leaveOut(); at = this.#first) {
			for (const said of this.messages.slice(at, this.#first)) this.#tokens -= this.#count(said.content as string);
		}
	}

	#count(text: string): number {
		return this.#model.tokenizer.encode(text, {addBos: false}).length;
	}

	/** Leaves out the oldest message of the user with its reply, if it is not the last one. */
	#leaveOut(): boolean {
		const next = this.messages.findIndex(({role}, i) => i > this.#first && role === 'user');
		if (next < 0) return false;
		this.#first = next;
		return true;
	}
}

/** Whether a prompt was refused for its length. */
export function isTooLong(error: unknown): boolean {
	return isExlError(error) && (error.code === 'EXL_CONTEXT_LENGTH' || error.code === 'EXL_CACHE_FULL');
}
