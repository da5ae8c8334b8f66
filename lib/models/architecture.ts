import type {CacheLayer, Recorder, Value} from '../program/index.js';
import type {ConfigReader} from '../weights/index.js';
import type {WeightScope} from './scope.js';

/** What everything around a model needs to know of its configuration. */
export type ModelShape = {
	readonly layers: number;
	readonly keyHeads: number;
	/** Elements per head, 1 to 256. */
	readonly headDim: number;
	/** Token ids are below this. */
	readonly vocabulary: number;
	/** Tokens the model was made for. */
	readonly contextTokens: number;
	/** Layers behind the last, which guess further tokens and are not used. @default 0 */
	readonly predictionLayers?: number;
};

export type Inputs = {
	readonly recorder: Recorder;
	/** The cache of each layer. */
	readonly cache: (layer: number) => CacheLayer;
};

/** A model whose configuration has been read. */
export type ConfiguredModel = {
	readonly shape: ModelShape;

	/**
	Records the ops of one step; computes nothing.

	@returns The logits of the rows in the `outputs` slot: `[outputs, vocabulary]`, a little wider if the head is padded.
	*/
	readonly forward: (inputs: Inputs, w: WeightScope) => Value;
};

export type Architecture = {
	/** As in the `architectures` field of config.json. */
	readonly names: readonly string[];
	readonly configure: (json: ConfigReader) => ConfiguredModel;
};

/** A model architecture: how to read its configuration, and the ops that make it. */
export function architecture<Config extends ModelShape>(definition: {
	readonly names: readonly string[];
	readonly config: (json: ConfigReader) => Config;
	readonly forward: (inputs: Inputs, w: WeightScope, config: Config) => Value;
}): Architecture {
	const {names, config, forward} = definition;
	const configure = (json: ConfigReader) => {
		const shape = config(json);
		return {shape, forward: (inputs: Inputs, w: WeightScope) => forward(inputs, w, shape)};
	};
	return {names, configure};
}
