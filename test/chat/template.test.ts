import {readFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import type {ChatMessage} from '../../lib/chat/messages.js';
import {ChatTemplate} from '../../lib/chat/template.js';
import {directoryWith} from '../tokenizer/tokenizers.js';

const chat: ChatMessage[] = [
	{role: 'system', content: 'Be brief.'},
	{role: 'user', content: 'Hi'},
	{role: 'assistant', content: 'Hello!'},
	{role: 'user', content: ' What is 2+2? '},
];

const source = (name: string) => readFileSync(path.join(__dirname, 'templates', `${name}.jinja`), 'utf8');
const template = (text: string) =>
	new ChatTemplate({templates: {default: text}, tokens: {bos_token: '<bos>', eos_token: '<eos>'}});

describe('templates of real models', () => {
	test.each([
		[
			'meta-llama-Llama-3.1-8B-Instruct',
			'<bos><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n' +
				'Today Date: 26 Jul 2024\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>' +
				'<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>' +
				'<|start_header_id|>user<|end_header_id|>\n\nWhat is 2+2?<|eot_id|>',
			'<|start_header_id|>assistant<|end_header_id|>\n\n',
		],
		[
			'Qwen-Qwen2.5-7B-Instruct',
			'<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n' +
				'<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\n What is 2+2? <|im_end|>\n',
			'<|im_start|>assistant\n',
		],
		[
			'mistralai-Mistral-Nemo-Instruct-2407',
			'<bos>[INST]Hi[/INST]Hello!<eos>[INST]Be brief.\n\n What is 2+2? [/INST]',
			'',
		],
	])('%s', (name, text, prompt) => {
		expect(template(source(name)).render(chat)).toBe(text + prompt);
		expect(template(source(name)).render(chat, {addGenerationPrompt: false})).toBe(text);
	});

	test('microsoft-Phi-3.5-mini-instruct ends a finished conversation', () => {
		const text =
			'<|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nHello!<|end|>\n' +
			'<|user|>\n What is 2+2? <|end|>\n';
		const phi = template(source('microsoft-Phi-3.5-mini-instruct'));
		expect(phi.render(chat)).toBe(`${text}<|assistant|>\n`);
		expect(phi.render(chat, {addGenerationPrompt: false})).toBe(`${text}<eos>`);
	});

	test('google-gemma-2-2b-it has no system role', () => {
		const gemma = template(source('google-gemma-2-2b-it'));
		expect(gemma.render(chat.slice(1))).toBe(
			'<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello!<end_of_turn>\n' +
				'<start_of_turn>user\nWhat is 2+2?<end_of_turn>\n<start_of_turn>model\n',
		);
		expect(() => gemma.render(chat)).toThrow(
			expect.objectContaining({
				code: 'EXL_INVALID_ARGUMENT',
				message: 'The chat template refuses these messages: System role not supported',
				cause: expect.any(Error),
			}),
		);
	});

	test('Qwen-Qwen2.5-7B-Instruct describes tools', () => {
		const tools = [{type: 'function', function: {name: 'add', parameters: {type: 'object', properties: {}}}}];
		const text = template(source('Qwen-Qwen2.5-7B-Instruct')).render(chat, {tools});
		expect(text).toContain(
			'<tools>\n{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}\n</tools>',
		);
	});
});

describe('where a template comes from', () => {
	const render = async (files: Record<string, unknown>, options = {}) =>
		(await ChatTemplate.load(await directoryWith(files))).render([{role: 'user', content: 'x'}], options);

	test('chat_template of tokenizer_config.json, with its tokens', async () => {
		const config = {chat_template: '{{ bos_token }}|{{ eos_token }}', bos_token: '<a>', eos_token: {content: '<b>'}};
		expect(await render({'tokenizer_config.json': config})).toBe('<a>|<b>');
	});

	test('chat_template.jinja before tokenizer_config.json', async () => {
		const config = {chat_template: 'config', bos_token: '<a>'};
		const files = {'tokenizer_config.json': config, 'chat_template.jinja': 'file {{ bos_token }}'};
		expect(await render(files)).toBe('file <a>');
	});

	test('a list of templates', async () => {
		const list = [
			{name: 'default', template: 'plain'},
			{name: 'tool_use', template: 'with tools'},
		];
		expect(await render({'tokenizer_config.json': {chat_template: list}})).toBe('plain');
		expect(await render({'tokenizer_config.json': {chat_template: list}}, {tools: [{}]})).toBe('with tools');
		await expect(render({'tokenizer_config.json': {chat_template: list.slice(1)}})).rejects.toMatchObject({
			code: 'EXL_MODEL_UNSUPPORTED',
			message: 'The model has no default chat template, only tool_use',
		});
	});

	test('nowhere', async () => {
		for (const files of [{}, {'tokenizer_config.json': {}}, {'tokenizer_config.json': {chat_template: null}}]) {
			await expect(render(files)).rejects.toMatchObject({
				code: 'EXL_MODEL_UNSUPPORTED',
				message: expect.stringContaining('generate()'),
			});
		}
	});
});

test('variables and the time reach the template', () => {
	const now = new Date(2024, 6, 4, 9, 5);
	const dated = template('{{ strftime_now("%d %b %Y, %A %H:%M") }} {{ mood }} {{ range(3) | list | tojson }}');
	expect(dated.render(chat, {now, variables: {mood: 'calm'}})).toBe('04 Jul 2024, Thursday 09:05 calm [0, 1, 2]');
});

test('a damaged template', () => {
	expect(() => template('{% for %}')).toThrow(
		expect.objectContaining({code: 'EXL_MODEL_INVALID', cause: expect.any(Error)}),
	);
	expect(() => template('{{ messages | nonsense }}').render(chat)).toThrow(
		expect.objectContaining({code: 'EXL_MODEL_INVALID', message: expect.stringContaining('nonsense')}),
	);
});

test('line breaks of Windows in a template are line breaks, and those of a message stay', () => {
	const lines = ['{% for m in messages %}', '    {% if true %}', '{{ m.role }}: {{ m.content }}', '    {% endif %}'];
	const windows = template([...lines, '{% endfor %}', 'assistant:', ''].join('\r\n'));
	expect(windows.render([{role: 'user', content: 'a\r\nb'}])).toBe('user: a\r\nb\nassistant:');
});

test('arguments given as an object to a template that wants them as a string are an error', () => {
	const calls = template("{{ 'f(' + messages[0].tool_calls[0].function.arguments + ')' }}");
	const call = {role: 'assistant', content: null, tool_calls: [{function: {name: 'f', arguments: {place: 'here'}}}]};
	expect(() => calls.render([call])).toThrow(
		expect.objectContaining({code: 'EXL_MODEL_INVALID', message: expect.stringContaining('"dict"')}),
	);
});

describe('messages', () => {
	const echo = template('{{ messages | tojson }}');

	test('several text parts become one content, the rest is kept', () => {
		const parts = [
			{type: 'text', text: 'a'},
			{type: 'text', text: 'b'},
		] as const;
		const call = {role: 'assistant', content: null, tool_calls: [{id: '1'}]};
		expect(JSON.parse(echo.render([{role: 'user', content: parts, name: 'Ada'}, call]))).toEqual([
			{role: 'user', content: 'a\nb', name: 'Ada'},
			call,
		]);
	});

	test('a template that knows parts gets them, with all their fields', () => {
		const parts = [
			{type: 'text', text: 'a', cache_control: {type: 'ephemeral'}},
			{type: 'text', text: 'b'},
		] as const;
		const source = '{% for p in messages[0].content %}[{{ p.text }} {{ p.cache_control is defined }}]{% endfor %}';
		expect(template(source).render([{role: 'user', content: parts}])).toBe('[a True][b False]');
	});

	test('a template that would lose parts, or write them as a list, gets them joined', () => {
		const messages = [
			{
				role: 'user',
				content: [
					{type: 'text', text: 'a'},
					{type: 'text', text: 'b'},
				],
			},
		] as const;
		const strings = '{% if messages[0].content is string %}{{ messages[0].content }}{% endif %}';
		for (const source of ['{{ messages[0].content }}', "{{ messages[0].content + '' }}", strings]) {
			expect(template(source).render(messages)).toBe('a\nb');
		}
	});

	test.each([
		['x', 'messages must be a list of messages; got "x"'],
		[[], 'messages must be a list of at least one message; got a list of 0'],
		[['x'], 'messages[0] must be an object {role, content}; got "x"'],
		[[{content: 'x'}], 'messages[0].role of chat() is missing'],
		[[{role: 1, content: 'x'}], 'messages[0].role must be a string; got 1'],
		[[{role: '', content: 'x'}], 'messages[0].role must be a non-empty string; got ""'],
		[[{role: 'user', content: 1}], 'messages[0].content must be a string or a list of text parts; got 1'],
		[[{role: 'user'}], 'messages[0] must be an object with content or tool_calls; got an object'],
		[
			[...chat, {role: 'user', content: [{type: 'image_url', image_url: ''}]}],
			`messages[4].content[0].type must be 'text' (only text is supported); got "image_url"`,
		],
		[[{role: 'user', content: [{type: 'text', text: 1}]}], 'messages[0].content[0].text must be a string; got 1'],
	])('refuses %j', (messages, message) => {
		expect(() => echo.render(messages as ChatMessage[])).toThrow(
			expect.objectContaining({code: 'EXL_INVALID_ARGUMENT', message}),
		);
	});
});
