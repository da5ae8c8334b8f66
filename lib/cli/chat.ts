import {createInterface, type Interface} from 'node:readline';
import {ExlError, inspectModel} from '../index.js';
import {Conversation, isTooLong, type Shows} from './conversation.js';
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
		try {
			await converse(conversation, terminal, flags.json === true);
		} finally {
			if (flags.json) await terminal.saveJson({messages: conversation.messages});
		}
	});
}

async function converse(conversation: Conversation, terminal: Terminal, silent: boolean): Promise<void> {
	const input = openInput(terminal);
	let warned = false;
	const shows: Shows = {
		text: async text => (silent ? undefined : terminal.write(text)),
		note: text => terminal.note(text),
	};
	const say = async (line: string) => {
		try {
			await conversation.say(line, shows);
		} catch (error) {
			// At a terminal the user can shorten the message.
			if (!terminal.isInteractive || !isTooLong(error)) throw error;
			conversation.unsay();
			terminal.note((error as Error).message);
		}
	};
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
			if (line.trim() !== '') await say(line);
			terminal.signal.throwIfAborted();
			input.prompt();
		}
	} finally {
		terminal.onInterrupt = undefined;
		input.close();
	}
	terminal.signal.throwIfAborted();
}

/** The prompt goes to stderr: stdout has the replies and nothing else. */
function openInput(terminal: Terminal): Interface {
	const {stdin, isInteractive} = terminal;
	const input = isInteractive
		? createInterface({input: stdin, output: process.stderr, prompt: '> '})
		: createInterface({input: stdin, prompt: ''});
	// `Terminal` handles this error.
	input.on('error', () => {});
	return input.on('SIGINT', () => terminal.interrupt());
}
