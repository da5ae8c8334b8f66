import {sourceBytes, type WeightSource} from '../native/index.js';
import type {Weight} from '../program/index.js';

/** All weights of one kind, in all layers. */
export type WeightKindInfo = {
	/** How many there are. */
	readonly count: number;
	readonly parameters: number;
	/** As they are stored. */
	readonly bytes: number;
	/** Stored bits per parameter, scales and tables included. */
	readonly bitsPerWeight: number;
	readonly formats: readonly string[];
};

/** @param vocabulary A quantised head may have up to 31 columns more, which are no parameters. */
export async function weightKinds(
	weights: Iterable<Weight>,
	vocabulary: number,
): Promise<Record<string, WeightKindInfo>> {
	const kinds: Record<string, WeightKindInfo> = {};
	for (const [path, weight] of new Map([...weights].map(weight => [weight.path, weight]))) {
		const source = await weight.load();
		// What is computed from the configuration, such as rotary frequencies, is no parameter.
		if (!source || isComputed(source)) continue;

		const kind = kindOf(path);
		const before = kinds[kind] ?? {count: 0, parameters: 0, bytes: 0, formats: []};
		const parameters = before.parameters + parametersOf(source, path === 'lm_head' ? vocabulary : undefined);
		const bytes = before.bytes + sourceBytes(source);
		const formats = [...new Set([...before.formats, formatOf(source)])];
		kinds[kind] = {count: before.count + 1, parameters, bytes, bitsPerWeight: (bytes * 8) / parameters, formats};
	}
	return kinds;
}

function isComputed(source: WeightSource): boolean {
	return Object.values(source.pieces).every(({data}) => !('file' in data));
}

/** `model.layers.3.mlp.up_proj` is an `up_proj`. */
function kindOf(path: string): string {
	const name = path.slice(path.lastIndexOf('.') + 1);
	if (name === 'bias') return 'biases';
	return name.endsWith('norm') ? 'norms' : name;
}

function parametersOf(source: WeightSource, columns = Number.POSITIVE_INFINITY): number {
	const [first = 1, ...rest] = source.shape;
	const width = rest.length > 0 ? Math.min(first, columns) : first;
	return rest.reduce((product, size) => product * size, width);
}

function formatOf(source: WeightSource): string {
	return source.format === 'float' ? source.pieces['data']!.dtype.toLowerCase() : source.format;
}
