import {ExlError} from '../errors/index.js';
import type {ConfigReader} from '../weights/index.js';
import type {Architecture} from './architecture.js';
import {llama} from './llama.js';
import {mistral} from './mistral.js';
import {qwen2} from './qwen2.js';
import {qwen3} from './qwen3.js';
import {stableLm} from './stablelm.js';

export type {Architecture, ConfiguredModel, Inputs, ModelShape} from './architecture.js';
export {WeightScope} from './scope.js';

/** Every architecture there is. */
const architectures: readonly Architecture[] = [llama, mistral, qwen2, qwen3, stableLm];

/**
The architecture config.json names.

@throws {ExlError} `EXL_MODEL_UNSUPPORTED` if it is not implemented, listing those that are.
*/
export function findArchitecture(json: ConfigReader): {name: string; architecture: Architecture} {
	const [name, ...others] = json.strings('architectures');
	if (name === undefined || others.length > 0) throw json.invalid('architectures', 'a list of one name');
	const found = architectures.find(({names}) => names.includes(name));
	if (found) return {name, architecture: found};
	const known = architectures.flatMap(({names}) => names).join(', ');
	throw new ExlError('EXL_MODEL_UNSUPPORTED', `${json.file}: ${name} is not implemented; these are: ${known}`);
}
