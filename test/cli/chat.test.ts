import {expect, test} from 'vitest';
import {changedModel, endlessModel, golden, Running, run, runJson} from './command.js';

const template = {chat_template: "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}"};
const flags = ['--temperature', '0', '--max-tokens', '8'];

test('a conversation from a pipe', async () => {
	const model = await changedModel({tokenizer: template});
	const [{text}] = (await golden('tinystories-656k-exl2')).cases;
	const {code, stdout} = await run(['chat', model, ...flags], 'Once upon a time\n\nThen\n');
	const lines = stdout.split('\n');
	expect(code).toBe(0);
	expect(text.startsWith(lines[0])).toBe(true);
	expect(lines[0]!.length).toBeGreaterThan(10);

	const {messages} = await runJson(['chat', model, '--system', 'Be kind.', ...flags], 'Once upon a time\nThen\n');
	expect(messages.map(({role}: {role: string}) => role)).toEqual(['system', 'user', 'assistant', 'user', 'assistant']);
	expect(messages[0].content).toBe('Be kind.');
	expect(messages[3].content).toBe('Then');
});

test('what the template refuses ends it with one line', async () => {
	const model = await changedModel({tokenizer: {chat_template: "{{ raise_exception('no') }}"}});
	const {code, stderr} = await run(['chat', model], 'Hi\n');
	expect(code).toBe(2);
	expect(stderr).toBe('EXL_INVALID_ARGUMENT: The chat template refuses these messages: no\n');
});

test('Ctrl-C stops the reply, then the program', async () => {
	const model = await endlessModel(template);
	const running = new Running(['chat', model, '--cache-tokens', '65536']);
	running.process.stdin.write('Once upon a time\n');
	await running.output();
	running.interrupt();
	await running.silence();

	const {length} = running.stdout;
	running.process.stdin.write('Then\n');
	await running.output(length);
	running.interrupt();
	await running.silence();
	running.interrupt();
	const {code, stderr} = await running.ended;
	expect({code, stderr}).toEqual({code: 130, stderr: ''});
});
