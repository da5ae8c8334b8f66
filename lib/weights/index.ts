export {ConfigReader, type FieldName} from './config.js';
export {openWeights} from './directory.js';
export {embeddingSource, type LinearShape, vectorSource} from './float.js';
export type {GptqOptions} from './gptq.js';
export {
	type LinearFormat,
	type LinearOptions,
	type LinearSource,
	linearFormat,
	linearShape,
	linearSource,
	linearTensors,
} from './linear.js';
export {
	cacheDirectory,
	huggingFaceHome,
	locateModel,
	parseRepository,
	type Repository,
	repositoryFolder,
} from './locate.js';
export {type ModelConfig, readGptqOptions, readModelConfig} from './model-config.js';
export type {TensorEntry} from './safetensors.js';
export {WeightFiles} from './weight-files.js';
