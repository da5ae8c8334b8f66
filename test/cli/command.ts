import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {cp, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {modelsDirectory, temporaryDirectory} from '../support/directory.js';

export const tiny = join(modelsDirectory, 'tinystories-656k-exl2');

export const cli = join(__dirname, '../../dist/cli.js');

export type Ended = {readonly code: number | null; readonly stdout: string; readonly stderr: string};

/** A command that runs, and what it has written so far. */
export class Running {
	stdout = '';
	stderr = '';
	readonly process: ChildProcessWithoutNullStreams;
	readonly ended: Promise<Ended>;

	constructor(args: readonly string[], env: Record<string, string> = {}) {
		this.process = spawn(process.execPath, [cli, ...args], {env: {...process.env, ...env}});
		this.process.stdout.setEncoding('utf8').on('data', text => {
			this.stdout += text;
		});
		this.process.stderr.setEncoding('utf8').on('data', text => {
			this.stderr += text;
		});
		this.ended = new Promise((resolve, reject) => {
			this.process.on('error', reject);
			this.process.on('close', code => resolve({code, stdout: this.stdout, stderr: this.stderr}));
		});
	}

	/** Waits until stdout has something beyond `length`. */
	async output(length = 0): Promise<void> {
		while (this.stdout.length <= length) {
			await new Promise((resolve, reject) => {
				this.process.stdout.once('data', resolve);
				this.ended.then(ended => reject(new Error(`it ended: ${JSON.stringify(ended)}`)));
			});
		}
	}

	/** Waits until stdout has been silent for a while. */
	async silence(): Promise<void> {
		for (let length = -1; length !== this.stdout.length; ) {
			length = this.stdout.length;
			await new Promise(resolve => setTimeout(resolve, 300));
		}
	}

	interrupt(): void {
		this.process.kill('SIGINT');
	}
}

/** Runs a command to its end. */
export function run(args: readonly string[], input = '', env?: Record<string, string>): Promise<Ended> {
	const running = new Running(args, env);
	running.process.stdin.on('error', () => {});
	running.process.stdin.end(input);
	return running.ended;
}

/** Runs a command with `--json`: it must succeed and print one JSON value and nothing else. */
export async function runJson(args: readonly string[], input?: string) {
	const {code, stdout, stderr} = await run([...args, '--json'], input);
	if (code !== 0) throw new Error(`it ended with ${code}: ${stderr}`);
	return JSON.parse(stdout);
}

/** A copy of the tiny model with another configuration. */
export async function changedModel({config = {}, tokenizer = {}}: {config?: object; tokenizer?: object}) {
	const directory = await temporaryDirectory();
	await cp(tiny, directory, {recursive: true});
	const change = async (name: string, fields: object) => {
		const file = join(directory, name);
		await writeFile(file, JSON.stringify({...JSON.parse(await readFile(file, 'utf8')), ...fields}));
	};
	await change('config.json', config);
	await change('tokenizer_config.json', tokenizer);
	return directory;
}

/** A model that never ends its text. */
export async function endlessModel(tokenizer: object = {}) {
	const directory = await changedModel({
		config: {max_position_embeddings: 2 ** 20, eos_token_id: null},
		tokenizer: {eos_token: null, ...tokenizer},
	});
	await writeFile(join(directory, 'generation_config.json'), '{}');
	return directory;
}

export async function golden(model: string) {
	return JSON.parse(await readFile(join(modelsDirectory, model, 'golden.json'), 'utf8'));
}
