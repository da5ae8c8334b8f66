import {Command} from 'commander';
import {type BenchFlags, bench} from './bench.js';
import {build} from './build.js';
import {list, type RemoveFlags, remove} from './cached.js';
import {chat} from './chat.js';
import {doctor} from './doctor.js';
import {all, commonFlags, generationFlags, integer} from './flags.js';
import {type GenerateFlags, generate} from './generate.js';
import {inspect} from './inspect.js';
import {packageVersion} from './package.js';
import {type PerplexityFlags, perplexity} from './perplexity.js';
import {type PullFlags, pull} from './pull.js';
import type {Terminal} from './terminal.js';

/** The commands and their flags. Wrong usage throws `CommanderError`. */
export function createProgram(terminal: Terminal): Command {
	const program = new Command('node-exllama')
		.description('Run EXL2, GPTQ and plain language models on this machine.')
		.version(packageVersion())
		.configureOutput({writeOut: text => terminal.print(text)})
		.exitOverride();
	const command = (name: string, description: string) => commonFlags(program.command(name).description(description));
	const model = '<model>';
	const modelHelp = 'a model directory, or org/name[@revision] in the local Hugging Face cache';

	generationFlags(command('generate', 'Continue a text.'))
		.argument(model, modelHelp)
		.option('--prompt <text>', 'the text to continue; - or nothing reads stdin, without its last line break')
		.option('--no-bos', 'do not begin the prompt with the BOS token')
		.action((name: string, flags: GenerateFlags) => generate(name, flags, terminal));

	generationFlags(command('chat', 'Talk to a model. Ctrl-C stops the reply; Ctrl-C again or Ctrl-D ends the program.'))
		.argument(model, modelHelp)
		.option('--system <text>', 'what the model is told before the conversation')
		.action((name: string, flags) => chat(name, flags, terminal));

	command('inspect', 'Say what a model is without loading it.')
		.argument(model, modelHelp)
		.action((name: string, flags) => inspect(name, flags, terminal));

	command('perplexity', 'Measure how well a model predicts a text.')
		.argument(model, modelHelp)
		.option('--file <text>', 'a text file, scored in windows')
		.option('--tokens <ids.json>', 'a JSON array of token ids, scored as one window')
		.option('--length <n>', 'tokens of a window [default of --file: what context and cache hold]', integer(2))
		.action((name: string, flags: PerplexityFlags) => perplexity(name, flags, terminal));

	command('bench', 'Measure speed and memory.')
		.argument(model, modelHelp)
		.option('--prompt-tokens <n>', 'tokens of the prompt [512, or half of a shorter context]', integer(1))
		.option('--gen-tokens <n>', 'tokens to generate [128, or a quarter of a shorter context]', integer(2))
		.option('--repeat <n>', 'runs; medians are shown', integer(1), 3)
		.action((name: string, flags: BenchFlags) => bench(name, flags, terminal));

	command('pull', 'Download a model from the Hugging Face Hub into the cache that its clients share.')
		.argument('<name>', 'org/name, or org/name@revision: a branch, a tag or a commit')
		.option(
			'--include <pattern>',
			'files to download, such as *.json, in place of what a model needs; may be repeated',
			all,
		)
		.option('--exclude <pattern>', 'files to leave out; may be repeated', all)
		.action((name: string, flags: PullFlags) => pull(name, flags, terminal));

	command('list', 'List the models in the cache.').action(flags => list(flags, terminal));

	command('rm', 'Remove a model from the cache.')
		.argument('<name>', 'org/name[@revision]; what other revisions share stays')
		.option('--all', 'every revision, and what was downloaded in part')
		.action((name: string, flags: RemoveFlags) => remove(name, flags, terminal));

	command('doctor', 'Say what this package found on this machine.').action(flags => doctor(flags, terminal));

	program
		.command('build')
		.description('Build the native code of this package here; needs CMake and a C++20 compiler.')
		.action(() => build(terminal));
	return program;
}
