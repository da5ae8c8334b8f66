import type {ConfigReader} from '../../weights/index.js';

/** What config.json says about rotary positions, wherever and in whichever spelling it says it. */
export type RopeSettings = {
	/** `default`, `linear`, `llama3`, `yarn`, or one that is not implemented. */
	readonly kind: string;
	/** The object with the fields of the kind. */
	readonly scaling: ConfigReader;
	readonly base: number;
	/** Of a head that turns. */
	readonly part: number;
	/** Tokens the model was trained on before its context was lengthened. */
	readonly originalTokens: () => number;
};

const otherNames: Readonly<Record<string, string>> = {su: 'longrope', mrope: 'default'};

/** Kinds of layers that may have settings of their own. */
const layerKinds = ['full_attention', 'sliding_attention', 'chunked_attention'];

/**
Reads `rope_parameters`, as transformers writes it since version 5, and `rope_scaling`, `rope_theta` and
`partial_rotary_factor`, as it did before.

Both may be there: version 4 keeps `rope_parameters` of a file that it rewrites, and adds its own defaults outside, so
what is inside wins. People add `rope_scaling` by hand, as the cards of Qwen's models tell them to, so the first of the two
that scales is taken. Of two names in one object, `rope_type` wins over `type`, as in transformers.

@returns One for each kind of layer that has its own, else one for all.
@throws {ExlError} `EXL_MODEL_INVALID` for a field of the wrong type or range.
*/
export function readRopeSettings(json: ConfigReader, part: number): readonly RopeSettings[] {
	const used = json.optionalStrings('layer_types') ?? layerKinds;
	const nested = layerKinds
		.filter(kind => used.includes(kind))
		.flatMap(kind => json.optionalObject(`rope_parameters.${kind}`) ?? []);
	const all = nested.length > 0 ? nested : [json.optionalObject('rope_parameters')];
	return all.map(parameters => settingsOf(json, parameters, part));
}

function settingsOf(json: ConfigReader, parameters: ConfigReader | undefined, defaultPart: number): RopeSettings {
	const objects = [json.optionalObject('rope_scaling'), parameters].filter(object => object !== undefined);
	const scaling = objects.find(object => kindOf(object) !== 'default');
	const inOrder = [...(scaling ? [scaling] : []), ...objects, json];
	const holderOf = (name: string) => inOrder.find(object => object.has(name)) ?? json;

	const base = holderOf('rope_theta').number('rope_theta', 10_000);
	if (!(base > 1)) throw holderOf('rope_theta').invalid('rope_theta', 'a number above 1');
	const partName =
		['partial_rotary_factor', 'rope_pct'].find(name => holderOf(name).has(name)) ?? 'partial_rotary_factor';
	const part = holderOf(partName).number(partName, defaultPart);
	if (!(part > 0 && part <= 1)) throw holderOf(partName).invalid(partName, 'a number above 0, up to 1');
	const original = 'original_max_position_embeddings';
	return {
		kind: scaling ? kindOf(scaling) : 'default',
		scaling: scaling ?? json,
		base,
		part,
		originalTokens: () => holderOf(original).optionalInt(original) ?? json.int('max_position_embeddings'),
	};
}

function kindOf(object: ConfigReader): string {
	const name = object.string(['rope_type', 'type'], 'default');
	return otherNames[name] ?? name;
}

/** By how much a context is lengthened. YaRN may leave it to the two lengths. @throws {ExlError} `EXL_MODEL_INVALID`. */
export function factorOf({kind, scaling, originalTokens}: RopeSettings, json: ConfigReader): number {
	if (kind === 'yarn' && !scaling.has('factor') && json.has('max_position_embeddings')) {
		return Math.max(1, json.int('max_position_embeddings') / originalTokens());
	}
	const factor = scaling.number('factor');
	if (!(factor >= 1)) throw scaling.invalid('factor', 'a number of at least 1');
	return factor;
}

/**
Tokens a model was made for: `max_position_embeddings`, and what YaRN and linear scaling make of it. Both are switched on
by adding `rope_scaling` to a configuration and leaving the rest, or come with a configuration whose length counts already.
`llama3` does not lengthen: its factor is larger than what the model was trained for.

@throws {ExlError} `EXL_MODEL_INVALID` for a field of the wrong type or range.
*/
export function readContextTokens(json: ConfigReader): number {
	const stated = json.int('max_position_embeddings');
	const lengthened = readRopeSettings(json, 1).map(settings => {
		if (settings.kind !== 'yarn' && settings.kind !== 'linear') return stated;
		return Math.floor(settings.originalTokens() * factorOf(settings, json));
	});
	return Math.min(Math.max(stated, ...lengthened), mostTokens);
}

const mostTokens = 2 ** 31 - 1;
