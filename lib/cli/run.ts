import {CommanderError} from 'commander';
import {isExlError} from '../index.js';
import {createProgram} from './program.js';
import {StreamError, type Terminal} from './terminal.js';

const usageExit = 2;

/**
Runs one command line.

@returns The exit code: 0; 1 for a failure, told in one line; 2 for wrong usage; 130 after Ctrl-C.
*/
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
	try {
		const code = await parse(argv, terminal);
		await terminal.flush();
		return terminal.endedWith ?? code;
	} catch (error) {
		const {endedWith, failure} = terminal;
		if (endedWith !== undefined && !failure) return endedWith;
		terminal.note(failureLine(failure ?? error));
		return isExlError(error) && !failure && error.code === 'EXL_INVALID_ARGUMENT' ? usageExit : 1;
	}
}

async function parse(argv: readonly string[], terminal: Terminal): Promise<number> {
	try {
		await createProgram(terminal).parseAsync(argv as string[]);
		return 0;
	} catch (error) {
		// commander has written its own line already.
		if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExit;
		throw error;
	}
}

/** `EXL_CODE: message`, in one line whatever the message looks like. */
export function failureLine(error: unknown): string {
	const message = oneLine(error instanceof Error ? error.message : String(error));
	if (error instanceof StreamError) return message;
	return `${isExlError(error) ? error.code : 'EXL_INTERNAL'}: ${message}`;
}

/** Indented lines are a list that belongs to the line before. */
function oneLine(message: string): string {
	const [first = '', ...rest] = message.trim().split('\n');
	let line = first;
	let inList = false;
	for (const next of rest) {
		const isItem = /^\s/.test(next);
		line += (isItem ? (inList ? ', ' : ' ') : '; ') + next.trim();
		inList = isItem;
	}
	return line;
}
