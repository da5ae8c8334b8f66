import {createInterface, type Interface} from 'node:readline';
import {type ChatMessage, ExlError, inspectModel} from '../index.js';
import {Conversation} from './conversation.js';
import {type CommonFlags, type GenerationFlags, generateOptions} from './flags.js';
import {withModel} from './load.js';
import type {Terminal} from './terminal.js';

type ChatFlags = CommonFlags & GenerationFlags & {readonly system?: string};

/** A conversation, a line at a time; from a pipe too. */
export async function chat(name: string, flags: ChatFlags, terminal: Terminal): Promise<void> {
	// Before gigabytes are loaded for nothing.
	const {chatTemplate} = await inspectModel(name);
	if (!chatTemplate) {
		const advice = 'continue plain text with the generate command, or put a chat_template.jinja into its directory';
		throw new ExlError('EXL_MODEL_UNSUPPORTED', `${name} has no chat template: ${advice}`);
	}

	await withModel(name, flags, terminal, async model => {
		const conversation = new Conversation(model, generateOptions(flags), flags.system);
		const messages = await converse(conversation, terminal, flags.json === true);
		if (flags.json) await terminal.writeJson({messages});
	});
}

async function converse(conversation: Conversation, terminal: Terminal, silent: boolean): Promise<ChatMessage[]> {
	const input = openInput(terminal);
	let warned = false;
	terminal.onInterrupt = () => {
		const ends = warned && !conversation.isReplying;
		warned = true;
		if (ends) terminal.end();
		else if (!conversation.stopReply()) {
			terminal.note('\nCtrl-C again or Ctrl-D to leave');
			input.prompt();
		}
	};
	terminal.signal.addEventListener('abort', () => input.close(), {once: true});
	try {
		input.prompt();
		for await (const line of input) {
			warned = false;
			if (line.trim() !== '') {
				await conversation.say(line, silent ? async () => {} : text => terminal.write(text));
			}
			terminal.signal.throwIfAborted();
			input.prompt();
		}
	} finally {
		terminal.onInterrupt = undefined;
		input.close();
	}
	terminal.signal.throwIfAborted();
	return conversation.messages;
}

/** The prompt goes to stderr: stdout has the replies and nothing else. */
function openInput(terminal: Terminal): Interface {
	const {stdin, isInteractive} = terminal;
	const input = isInteractive
		? createInterface({input: stdin, output: process.stderr, prompt: '> '})
		: createInterface({input: stdin, prompt: ''});
	return input.on('SIGINT', () => terminal.interrupt());
}
