import {inspectModel, type ModelInfo} from '../index.js';
import type {CommonFlags} from './flags.js';
import {bytes, columns, decimal, facts} from './format.js';
import type {Terminal} from './terminal.js';

export async function inspect(name: string, flags: CommonFlags, terminal: Terminal): Promise<void> {
	const info = await inspectModel(name);
	if (flags.json) await terminal.writeJson(info);
	else await terminal.write(`${describe(info)}\n`);
}

function describe(info: ModelInfo): string {
	const {layers, hidden, heads, keyHeads, headDim, vocabulary, contextTokens, cache} = info;
	const whole = (count: number) => count.toLocaleString('en-US');
	const summary = facts([
		['directory', info.directory],
		['architecture', info.architecture],
		['formats', info.formats.join(', ')],
		['parameters', `${whole(info.parameters)}, ${info.bitsPerWeight.toFixed(2)} bits each`],
		['shape', `${layers} layers, hidden ${hidden}, ${heads} heads of ${headDim}, ${keyHeads} for keys and values`],
		['vocabulary', whole(vocabulary)],
		['context', `${whole(contextTokens)} tokens`],
		['chat template', info.chatTemplate ? 'yes' : 'no'],
		['files', bytes(info.fileBytes)],
		['weights', bytes(info.weightBytes)],
		...Object.entries(cache.types).map(
			([type, size]) =>
				[
					`cache ${type}`,
					`${bytes(size.bytes)} for ${whole(cache.defaultTokens)} tokens, ${decimal(size.bytesPerToken)} bytes each`,
				] as const,
		),
	]);
	const kinds = columns([
		['weights', 'count', 'parameters', 'bits', 'size', 'format'],
		...Object.entries(info.kinds).map(([kind, {count, parameters, bitsPerWeight, bytes: size, formats}]) => [
			kind,
			whole(count),
			whole(parameters),
			bitsPerWeight.toFixed(2),
			bytes(size),
			formats.join(', '),
		]),
	]);
	return `${summary}\n\n${kinds}`;
}
