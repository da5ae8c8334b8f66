import {TemplateReader} from '../chat/index.js';
import {ExlError} from '../errors/index.js';
import {loadModel as loadLocalModel, resolveLoadOptions} from '../model/index.js';
import {findArchitecture} from '../models/index.js';
import type {LoadOptions, ResolvedLoadOptions} from '../options/index.js';
import {Tokenizer} from '../tokenizer/index.js';
import {locateModel, readModelConfig} from '../weights/index.js';
import {RemoteModel} from './host.js';
import type {Model} from './model.js';
import {ModelProcess} from './process.js';

/**
Loads a Hugging Face model directory: EXL2, GPTQ or plain weights.

@param nameOrPath A directory, or `org/name@revision` in the local Hugging Face cache. Nothing is downloaded.
@throws {ExlError} `EXL_MODEL_NOT_FOUND`, `EXL_MODEL_INVALID`, `EXL_MODEL_UNSUPPORTED`, `EXL_FORMAT_INVALID`,
`EXL_FORMAT_UNSUPPORTED`, `EXL_SHAPE_MISMATCH`, `EXL_INVALID_ARGUMENT`, `EXL_DEVICE_UNAVAILABLE`, `EXL_OUT_OF_MEMORY`;
with `isolation: 'process'` also `EXL_ISOLATE_EXITED`.
@throws The signal's reason if it aborts.
*/
export async function loadModel(nameOrPath: string, input?: LoadOptions): Promise<Model> {
	const options = resolveLoadOptions(input);
	return options.isolation === 'process' ? loadIsolated(nameOrPath, options) : loadLocalModel(nameOrPath, options);
}

async function loadIsolated(
	nameOrPath: string,
	{signal, onProgress, isolation, logger, ...options}: ResolvedLoadOptions,
): Promise<RemoteModel> {
	signal?.throwIfAborted();
	const directory = await locateModel(nameOrPath);
	const {config} = await readModelConfig(directory);
	const {vocabulary} = findArchitecture(config).architecture.configure(config).shape;
	signal?.throwIfAborted();

	const process = new ModelProcess(logger);
	try {
		const loading = Tokenizer.load(directory);
		// The child finds the same mistake, and whatever comes before it.
		loading.catch(() => {});
		const templates = TemplateReader.open(directory);
		const [answer] = process.call(
			{method: 'loadModel', directory, options, logs: logger !== undefined},
			{signal, onProgress},
		);
		const facts = await answer;
		const tokenizer = await loading;
		signal?.throwIfAborted();
		return new RemoteModel({process, templates: await templates, tokenizer, vocabulary, facts});
	} catch (error) {
		await process.close(new ExlError('EXL_DISPOSED', `${process.name} was not loaded`));
		throw error;
	}
}
