import {ExlError} from '../errors/index.js';
import type {HubFile} from './listing.js';

export type Choice = {
	/** Patterns of paths, with `*` and `?`; in place of what a model needs. */
	readonly include?: readonly string[] | undefined;
	/** Patterns of paths to leave out. */
	readonly exclude?: readonly string[] | undefined;
};

const needed = [
	'config.json',
	'generation_config.json',
	'quantize_config.json',
	'quantization_config.json',
	'tokenizer*',
	'special_tokens_map.json',
	'added_tokens.json',
	'vocab.*',
	'merges.txt',
	'*.model',
	'chat_template*',
	'*.jinja',
	'additional_chat_templates/*',
	'preprocessor_config.json',
	'processor_config.json',
	'modules.json',
	'1_Pooling/*',
	'LICENSE*',
	'*.safetensors.index.json',
];

const weights = /^[^/]+\.safetensors$/;
const notOfTheModel = /^(?:adapter_|consolidated|optimizer)/;
/** Branches of one model quantised to several widths: `4.0bpw`, `4_25bpw`, `6.0bpw-h8`. */
const widths = /\d(?:[._]\d+)?[-_]?bpw/i;

/** The files of a revision that loading it needs. */
export function chooseFiles(files: readonly HubFile[], {include, exclude}: Choice): HubFile[] {
	const excluded = matcher(exclude ?? []);
	if (include && include.length > 0) {
		const included = matcher(include);
		return files.filter(({path}) => included(path) && !excluded(path));
	}
	const isNeeded = matcher(needed, false);
	const allWeights = files.filter(({path}) => weights.test(path));
	const own = allWeights.filter(({path}) => !notOfTheModel.test(path));
	const chosen = new Set(own.length > 0 ? own : allWeights);
	return files.filter(file => (chosen.has(file) || isNeeded(file.path)) && !excluded(file.path));
}

export function hasWeights(files: readonly HubFile[]): boolean {
	return files.some(({path}) => weights.test(path));
}

/** Why a revision without weights is of no use, and which may be. @param branches Of the repository. */
export function noWeights(
	repo: string,
	revision: string,
	files: readonly HubFile[],
	branches: readonly string[],
): ExlError {
	const quantised = branches.filter(name => widths.test(name) && name !== revision);
	if (quantised.length > 0) {
		const message =
			`${repo} has no weights in ${revision}, but in other branches, one for each width: ` +
			`${quantised.join(', ')}. Choose one: npx node-exllama pull ${repo}@${quantised[0]}`;
		return new ExlError('EXL_MODEL_NOT_FOUND', message);
	}
	const kinds = ['.gguf', '.bin', '.pt', '.pth', '.onnx', '.msgpack', '.h5'];
	const found = kinds.filter(kind => files.some(({path}) => path.endsWith(kind)));
	const message =
		found.length > 0
			? `${repo} has its weights as ${found.map(kind => `*${kind}`).join(' and ')}, which cannot be loaded: look for a version of the model in *.safetensors.`
			: `${repo} has no weights in ${revision}: it may be an adapter or a collection, or its weights are in another branch.`;
	return new ExlError('EXL_MODEL_UNSUPPORTED', message);
}

/** @param deep Whether `*` goes into folders, as in patterns of users. */
function matcher(patterns: readonly string[], deep = true): (path: string) => boolean {
	const any = deep ? '.*' : '[^/]*';
	const sources = patterns.map(pattern =>
		(pattern.endsWith('/') ? `${pattern}*` : pattern)
			.replace(/[.+^${}()|[\]\\]/g, '\\$&')
			.replaceAll('*', any)
			.replaceAll('?', '.'),
	);
	const whole = new RegExp(`^(?:${sources.join('|')})$`);
	return path => sources.length > 0 && whole.test(path);
}
