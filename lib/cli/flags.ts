import {type Command, InvalidArgumentError} from 'commander';
import {checkGenerateOptions, checkLoadOptions, type GenerateOptions, type LoadOptions} from '../index.js';

export type CommonFlags = {
	readonly json?: boolean;
	readonly device?: string;
	readonly threads?: number;
	readonly cacheType?: string;
	readonly cacheTokens?: number;
	readonly loader?: string;
	readonly draft?: string;
};

export type GenerationFlags = {
	readonly maxTokens?: number;
	readonly minTokens?: number;
	readonly temperature?: number;
	readonly topK?: number;
	readonly topP?: number;
	readonly minP?: number;
	readonly typicalP?: number;
	readonly topA?: number;
	readonly tfs?: number;
	readonly repetitionPenalty?: number;
	readonly repetitionRange?: number;
	readonly repetitionDecay?: number;
	readonly frequencyPenalty?: number;
	readonly presencePenalty?: number;
	readonly smoothingFactor?: number;
	readonly temperatureLast?: true;
	readonly skew?: number;
	readonly seed?: number;
	readonly stop?: string[];
	readonly ban?: string[];
	readonly speculative?: string;
};

/**
What every command takes, needed or not, so that scripts can pass the same flags to all. They are checked where they are
not needed as well, and before anything is loaded.
*/
export function commonFlags(command: Command): Command {
	return command
		.hook('preAction', () => checkLoadOptions(loadOptions(command.opts())))
		.option('--json', 'print one JSON object on stdout and nothing else')
		.option('--device <name>', 'auto, cpu, cuda, cuda:N or reference')
		.option('--threads <n>', 'threads of the CPU backend [one per physical core]', number)
		.option('--cache-type <type>', 'type of the key/value cache: fp16, fp8, q8, q6 or q4 [fp16]')
		.option('--cache-tokens <n>', 'tokens the key/value cache holds [8192, less for a short context]', number)
		.option('--loader <name>', 'direct, buffered or mmap [direct]')
		.option('--draft <model>', 'a smaller model that guesses tokens for this one to check');
}

export function generationFlags(command: Command): Command {
	return command
		.hook('preAction', () => checkGenerateOptions(generateOptions(command.opts())))
		.option('--max-tokens <n>', 'tokens to generate at most [until the context ends]', number)
		.option('--min-tokens <n>', 'tokens before the text may end [0]', number)
		.option('--temperature <t>', 'divides the logits; 0 is greedy [0.8]', number)
		.option('--top-k <k>', 'keep the k most probable tokens; 0 keeps all [50]', number)
		.option('--top-p <p>', 'keep the most probable tokens up to this probability [0.8]', number)
		.option('--min-p <p>', 'keep tokens this fraction as probable as the most probable one [0]', number)
		.option('--typical-p <p>', 'keep tokens of the most typical surprise up to this probability [1]', number)
		.option('--top-a <a>', 'keep tokens of a probability of a times the square of the largest [0]', number)
		.option('--tfs <z>', 'tail free sampling: cut where the probabilities flatten [1]', number)
		.option('--temperature-last', 'apply the temperature after the truncations')
		.option('--smoothing-factor <x>', 'quadratic smoothing of the logits [0]', number)
		.option('--skew <x>', 'above 0, less probable tokens are drawn more often [0]', number)
		.option('--repetition-penalty <x>', 'above 1, tokens seen before become less probable [1.025; greedy: 1]', number)
		.option('--presence-penalty <x>', 'subtracted from the logits of tokens seen before [0]', number)
		.option('--frequency-penalty <x>', 'the same, for each time a token was seen [0]', number)
		.option('--repetition-range <n>', 'how many of the last tokens the penalties see; -1: all [-1]', number)
		.option('--repetition-decay <n>', 'over how many tokens before that they fade [0]', number)
		.option('--seed <n>', 'same seed, same text [random]', number)
		.option('--stop <text>', 'a string that ends the text; may be repeated', all)
		.option('--ban <text>', 'a string that must not occur; may be repeated', all)
		.option('--speculative <way>', 'guess tokens and check several at once: draft or ngram');
}

/** Values are checked by the library; a type here is only a promise to it. */
export function loadOptions({device, threads, cacheType, cacheTokens, loader, draft}: CommonFlags): LoadOptions {
	const cache = {tokens: cacheTokens, type: cacheType} as LoadOptions['cache'];
	return {device: device as LoadOptions['device'], threads, cache, loader: loader as LoadOptions['loader'], draft};
}

export function generateOptions(flags: GenerationFlags): GenerateOptions {
	const {maxTokens, minTokens, seed, stop, ban: bannedStrings} = flags;
	const speculative = flags.speculative as GenerateOptions['speculative'];
	const {temperature, temperatureLast, smoothingFactor, skew} = flags;
	const {topK, topP, topA, minP, tfs, typicalP} = flags;
	const {repetitionPenalty, presencePenalty, frequencyPenalty, repetitionRange, repetitionDecay} = flags;
	return {
		...{maxTokens, minTokens, seed, stop, bannedStrings, speculative},
		...{temperature, temperatureLast, smoothingFactor, skew},
		...{topK, topP, topA, minP, tfs, typicalP},
		...{repetitionPenalty, presencePenalty, frequencyPenalty, repetitionRange, repetitionDecay},
	};
}

/** @throws {InvalidArgumentError} */
export function number(text: string): number {
	const value = Number(text);
	if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('It must be a number.');
	return value;
}

/** Every value of a flag that may be repeated. */
export function all(text: string, before: string[] = []): string[] {
	return [...before, text];
}

/** For what the library never sees. */
export function integer(min: number): (text: string) => number {
	return text => {
		const value = number(text);
		if (Number.isSafeInteger(value) && value >= min) return value;
		throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`);
	};
}
