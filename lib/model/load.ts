import {ContiguousPages} from '../cache/index.js';
import {ExlError} from '../errors/index.js';
import {Device, Handle, resolveDevice} from '../memory/index.js';
import {findArchitecture, WeightScope} from '../models/index.js';
import {addon} from '../native/index.js';
import {type LoadOptions, parseLoadOptions, type ResolvedLoadOptions} from '../options/index.js';
import {WeightStore, weightsOf} from '../program/index.js';
import {Tokenizer} from '../tokenizer/index.js';
import {locateModel, openWeights, readModelConfig} from '../weights/index.js';
import {Model} from './model.js';
import {compileModel, recordModel} from './programs.js';
import {physicalCores} from './threads.js';

/** Without an option the cache is as long as the model's context, up to this. */
export const defaultCacheTokens = 8192;

let modelsLoaded = 0;

/**
Loads a Hugging Face model directory: EXL2, GPTQ or plain weights.

@param nameOrPath A directory, or `org/name@revision` in the local Hugging Face cache. Nothing is downloaded.
@throws {ExlError} `EXL_MODEL_NOT_FOUND`, `EXL_MODEL_INVALID`, `EXL_MODEL_UNSUPPORTED`, `EXL_FORMAT_INVALID`,
`EXL_FORMAT_UNSUPPORTED`, `EXL_SHAPE_MISMATCH`, `EXL_INVALID_ARGUMENT`, `EXL_DEVICE_UNAVAILABLE`, `EXL_OUT_OF_MEMORY`.
@throws The signal's reason if it aborts.
*/
export async function loadModel(nameOrPath: string, input?: LoadOptions): Promise<Model> {
	const options = resolveLoadOptions(input);
	options.signal?.throwIfAborted();
	const kind = resolveDevice(options.device);
	const directory = await locateModel(nameOrPath);
	const {config, eosTokenIds, gptq} = await readModelConfig(directory);
	const {name, architecture} = findArchitecture(config);
	const configured = architecture.configure(config);
	const {shape} = configured;
	const files = await openWeights(directory);
	const tokenizer = await Tokenizer.load(directory);

	const owner = `model#${++modelsLoaded}`;
	const scope = new WeightScope(files, gptq);
	const tokens = options.cache.tokens ?? Math.min(shape.contextTokens, defaultCacheTokens);
	const pages = new ContiguousPages(tokens);
	const drawnIds = Math.min(shape.vocabulary, tokenizer.vocabSize);
	const recording = recordModel(configured, scope, 'sample', pages.pageCount, drawnIds);

	const device = Device.acquire(kind);
	const weights = new WeightStore(device, owner);
	let cache: Handle | undefined;
	try {
		const {signal, onProgress, loader} = options;
		const report = (loaded: number, total: number) => onProgress?.({phase: 'weights', loaded, total});
		const {mode} = await weights.load(weightsOf(recording.recorder), {loader, onProgress: report, signal});
		signal?.throwIfAborted();

		const {layers, keyHeads, headDim: dim} = shape;
		const size = {layers, keyHeads, dim, pages: pages.pageCount};
		const cacheOwner = `${owner} > cache`;
		cache = new Handle(addon().createCache(device.id, size, cacheOwner), cacheOwner);
		const place = {
			device,
			weights,
			cache,
			owner: `${owner} > programs`,
			pages: pages.pageCount,
			threads: options.threads ?? physicalCores(),
		};
		const program = await compileModel(recording, 'sample', place);
		if (signal?.aborted) program.release();
		signal?.throwIfAborted();
		return new Model({
			name: owner,
			directory,
			architecture: name,
			configured,
			scope,
			tokenizer,
			place,
			pages,
			program,
			stopIds: new Set([...eosTokenIds, ...tokenizer.eosIds]),
			cacheTokens: tokens,
			loader: mode,
		});
	} catch (error) {
		cache?.release();
		weights.release();
		await device.release();
		throw error;
	}
}

/** Call option, then environment, then default. @throws {ExlError} `EXL_INVALID_ARGUMENT`. */
export function resolveLoadOptions(input: LoadOptions | undefined): ResolvedLoadOptions {
	const {EXL_DEVICE, EXL_THREADS} = process.env;
	const defaults = {
		...(EXL_DEVICE && {device: EXL_DEVICE}),
		...(EXL_THREADS && {threads: Number(EXL_THREADS)}),
	};
	if (input !== undefined && (typeof input !== 'object' || input === null)) {
		throw new ExlError('EXL_INVALID_ARGUMENT', 'the options of loadModel() must be an object');
	}
	const given = Object.fromEntries(Object.entries(input ?? {}).filter(([, value]) => value !== undefined));
	return parseLoadOptions({...defaults, ...given});
}
