import {PageTable, pageTokens} from '../cache/index.js';
import {addLogger, log} from '../log/index.js';
import {chooseDevice, Device} from '../memory/index.js';
import {addon} from '../native/index.js';
import {
	deviceName,
	type LoadOptions,
	parseArgument,
	parseLoadOptions,
	type ResolvedLoadOptions,
	threadCount,
} from '../options/index.js';
import {DraftModel} from './draft.js';
import {ModelEngine} from './engine.js';
import {Model} from './model.js';
import {checkDraft, type PlacedModel, placeModel, readModel} from './place.js';
import {limitsOf} from './programs.js';
import {physicalCores} from './threads.js';

/** Tokens of the cache without an option: as many as the whole batch may use, up to what one job of most models needs. */
export function defaultCacheTokens(contextTokens: number, maxBatch: number): number {
	return Math.min(8192, contextTokens * maxBatch);
}

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
	const unlisten = addLogger(options.logger);
	try {
		return await load(nameOrPath, options, unlisten);
	} catch (error) {
		unlisten();
		throw error;
	}
}

async function load(nameOrPath: string, options: ResolvedLoadOptions, unlisten: () => void): Promise<Model> {
	const started = performance.now();
	const choice = chooseDevice(options.device);
	const files = await readModel(nameOrPath);
	const draftFiles = options.draft === undefined ? undefined : await readModel(options.draft);
	if (draftFiles) checkDraft(draftFiles, files);
	// Heads that such a cache cannot hold are an error before the weights are read, not after.
	for (const each of draftFiles ? [files, draftFiles] : [files]) {
		const {keyHeads, headDim: dim} = each.configured.shape;
		addon().cacheTokenBytes({keyHeads, dim, type: options.cache.type});
	}

	const {shape} = files.configured;
	const owner = `model#${++modelsLoaded}`;
	const tokens = options.cache.tokens ?? defaultCacheTokens(shape.contextTokens, options.maxBatch);
	const pages = new PageTable(Math.ceil(tokens / pageTokens));
	const device = Device.acquire(choice.kind);
	const common = {
		device,
		pages: pages.pageCount,
		cacheType: options.cache.type,
		batch: {
			sequences: options.maxBatch,
			pagesPerSequence: Math.min(pages.pageCount, Math.ceil(shape.contextTokens / pageTokens)),
		},
		threads: options.threads ?? physicalCores(),
		loader: options.loader,
		drawnIds: Math.min(shape.vocabulary, files.tokenizer.vocabSize),
		signal: options.signal,
	};
	const report = (phase: string) => (loaded: number, total: number) => options.onProgress?.({phase, loaded, total});
	const placed: PlacedModel[] = [];
	try {
		const main = await placeModel(files, {...common, owner, onProgress: report('weights')});
		placed.push(main);
		let draft: DraftModel | undefined;
		if (draftFiles) {
			const draftOwner = `${owner} > draft`;
			const other = await placeModel(draftFiles, {...common, owner: draftOwner, onProgress: report('draft weights')});
			placed.push(other);
			draft = new DraftModel(engineOf(other), draftFiles.configured.shape.contextTokens);
		}
		const loadMs = Math.round(performance.now() - started);
		const {loader, loaderFallback} = main;
		log('model', 'info', () => `${owner} (${files.architecture}) was loaded on ${choice.kind} in ${loadMs} ms`);
		return new Model({
			...files,
			...main,
			name: owner,
			engine: engineOf(main, draft),
			pages,
			device: choice,
			facts: {
				...{cacheTokens: tokens, cacheType: options.cache.type, maxBatch: options.maxBatch},
				...{threads: common.threads, loader, draft: draft !== undefined, loadMs},
				...(loaderFallback !== '' && {loaderFallback}),
			},
			held: [...placed.flatMap(partsOf), {release: unlisten}],
		});
	} catch (error) {
		for (const part of placed.flatMap(partsOf)) part.release();
		await device.release();
		throw error;
	}
}

function engineOf({place, program}: PlacedModel, draft?: DraftModel): ModelEngine {
	return new ModelEngine(place.device, program, place.cache, limitsOf('sample', place), draft);
}

/** In the order they are released. */
function partsOf({place, program}: PlacedModel): {release(): void}[] {
	return [program, place.cache, place.weights];
}

/** Call option, then environment, then default. @throws {ExlError} `EXL_INVALID_ARGUMENT`. */
export function resolveLoadOptions(input: LoadOptions | undefined): ResolvedLoadOptions {
	const options = parseLoadOptions(input);
	const {EXL_DEVICE, EXL_THREADS} = process.env;
	const device = input?.device ?? (EXL_DEVICE && parseArgument(deviceName, EXL_DEVICE, 'EXL_DEVICE', 'environment'));
	const threads = input?.threads ?? (EXL_THREADS && parseThreads(EXL_THREADS));
	return {...options, ...(device && {device}), ...(threads && {threads})};
}

function parseThreads(text: string): number {
	const number = text.trim() === '' ? text : Number(text);
	return parseArgument(threadCount, Number.isNaN(number) ? text : number, 'EXL_THREADS', 'environment');
}
