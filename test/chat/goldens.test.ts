import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {type ChatMessage, ChatTemplate} from '../../lib/chat/index.js';
import {sharedFolder} from '../support/shared.js';

// What Python's Jinja, set up as Hugging Face's transformers sets it up, makes of conversations in real templates.

type Outcome = {readonly text: string} | {readonly error: string};
type Options = Record<string, unknown> & {add_generation_prompt: boolean; tools?: object[]};
type Conversation = {readonly name: string; readonly messages: ChatMessage[]; readonly options: Options};
type Goldens = {readonly tokens: Record<string, string>; readonly conversations: readonly Conversation[]};

const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const now = new Date(2026, 6, 3, 9, 5, 7);

function outcomeOf(template: ChatTemplate, {messages, options}: Conversation): Outcome {
	const {add_generation_prompt: addGenerationPrompt, tools, ...variables} = options;
	try {
		return {text: template.render(messages, {addGenerationPrompt, tools, variables, now})};
	} catch (error) {
		return {error: String(error)};
	}
}

function compare(file: string, {tokens, conversations}: Goldens, expected: readonly Outcome[]): void {
	const template = new ChatTemplate({templates: {default: readFileSync(file, 'utf8')}, tokens});
	const outcomes = conversations.map((conversation, i) => {
		const [want, got] = [expected[i]!, outcomeOf(template, conversation)];
		if ('text' in want) return got;
		// Python stops at a list of parts where a template knows strings only; here it then gets them joined.
		const inParts = conversation.name.startsWith('content in parts');
		return inParts || 'error' in got ? want : got;
	});
	expect(outcomes).toEqual(expected);
}

describe('what Python makes of', () => {
	const goldens = readJson(path.join(__dirname, 'expected.json'));
	test.each(Object.keys(goldens.expected))('%s', name => {
		compare(path.join(__dirname, 'templates', `${name}.jinja`), goldens, goldens.expected[name]);
	});
});

const shared = sharedFolder('templates');
describe.skipIf(!shared)(`what Python makes of all of ../shared/templates${shared ? '' : ' (not there)'}`, () => {
	const files = shared ? readdirSync(shared).filter(file => file.endsWith('.jinja')) : [];
	test.each(files)('%s', file => {
		const expected = path.join(shared!, 'expected');
		const goldens = readJson(path.join(expected, 'conversations.json'));
		compare(path.join(shared!, file), goldens, readJson(path.join(expected, file.replace('.jinja', '.json'))));
	});
	// A describe without tests would be an error.
	test('are many', () => expect(files.length).toBeGreaterThan(50));
});
