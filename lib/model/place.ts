import {TemplateReader} from '../chat/index.js';
import {ExlError} from '../errors/index.js';
import {log} from '../log/index.js';
import {type Device, Handle} from '../memory/index.js';
import {type ConfiguredModel, findArchitecture, WeightScope} from '../models/index.js';
import {addon} from '../native/index.js';
import type {CacheTypeName, LoaderName} from '../options/index.js';
import {type Program, WeightStore, weightsOf} from '../program/index.js';
import {Tokenizer} from '../tokenizer/index.js';
import {locateModel, openWeights, readModelConfig} from '../weights/index.js';
import {type BatchSize, compileModel, type ProgramPlace, recordModel} from './programs.js';

/** A model as its files describe it, checked; nothing of it is on a device yet. */
export type ModelFiles = {
	readonly directory: string;
	readonly architecture: string;
	readonly configured: ConfiguredModel;
	readonly scope: WeightScope;
	readonly tokenizer: Tokenizer;
	readonly templates: TemplateReader;
	readonly stopIds: ReadonlySet<number>;
};

export async function readModel(nameOrPath: string): Promise<ModelFiles> {
	const directory = await locateModel(nameOrPath);
	const {config, eosTokenIds, gptq} = await readModelConfig(directory);
	const {name, architecture} = findArchitecture(config);
	const configured = architecture.configure(config);
	const files = await openWeights(directory);
	const tokenizer = await Tokenizer.load(directory);
	return {
		directory,
		architecture: name,
		configured,
		scope: new WeightScope(files, gptq),
		tokenizer,
		templates: await TemplateReader.open(directory),
		stopIds: new Set([...eosTokenIds, ...tokenizer.eosIds]),
	};
}

/** A model on a device: weights, cache, and the program that samples. */
export type PlacedModel = {
	readonly place: ProgramPlace;
	readonly program: Program;
	/** How its weights were read. */
	readonly loader: LoaderName;
	/** Why not as it was asked for; empty if it was. */
	readonly loaderFallback: string;
};

export type PlaceOptions = {
	readonly device: Device;
	/** As the ledger names it: `model#1`. */
	readonly owner: string;
	/** Of the cache. */
	readonly pages: number;
	readonly cacheType: CacheTypeName;
	readonly batch: BatchSize;
	readonly threads: number;
	readonly loader: LoaderName;
	/** Ids from here on are never drawn. */
	readonly drawnIds: number;
	readonly onProgress: (loaded: number, total: number) => void;
	readonly signal?: AbortSignal | undefined;
};

/** Gives back what it took if it fails. @throws as `loadModel()`. */
export async function placeModel({configured, scope}: ModelFiles, options: PlaceOptions): Promise<PlacedModel> {
	const {device, owner, pages, batch, threads, signal, loader, onProgress} = options;
	const recording = recordModel(configured, scope, 'sample', batch, options.drawnIds);
	const weights = new WeightStore(device, owner);
	const held: {release(): void}[] = [weights];
	try {
		const {mode, fallback} = await weights.load(weightsOf(recording.recorder), {loader, onProgress, signal});
		signal?.throwIfAborted();

		const {layers, keyHeads, headDim: dim} = configured.shape;
		const cacheOwner = `${owner} > cache`;
		const size = {layers, keyHeads, dim, pages, type: options.cacheType};
		const cache = new Handle(addon().createCache(device.id, size, cacheOwner), cacheOwner);
		held.push(cache);
		const place = {device, weights, cache, owner: `${owner} > programs`, batch, threads};
		const program = await compileModel(recording, 'sample', place);
		held.push(program);
		signal?.throwIfAborted();
		if (fallback !== '') log('model', 'warn', () => `${owner} was read as ${mode}, not as ${loader}: ${fallback}`);
		return {place, program, loader: mode, loaderFallback: fallback};
	} catch (error) {
		for (const part of held) part.release();
		throw error;
	}
}

/** @throws {ExlError} `EXL_INVALID_ARGUMENT` if one cannot guess tokens for the other. */
export function checkDraft(draft: ModelFiles, {directory, configured, tokenizer}: ModelFiles): void {
	const [theirs, ours] = [draft.configured.shape.vocabulary, configured.shape.vocabulary];
	if (theirs === ours && draft.tokenizer.vocabSize === tokenizer.vocabSize) return;
	const message = `draft must have the vocabulary of the model: ${draft.directory} has ${theirs} tokens, ${directory} has ${ours}`;
	throw new ExlError('EXL_INVALID_ARGUMENT', message, {op: 'draft'});
}
