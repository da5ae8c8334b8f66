import type {CacheTypeName, LoaderName} from '../options/index.js';
import type {WeightSource} from './weight-source.js';

/** A number that stands for a native object; never used twice in one JavaScript environment. */
export type NativeHandle = number;

/** -1 is the number of rows of a step, -2 its number of outputs; everything else is a size. */
export type WireShape = readonly number[];

export type WireOperand =
	| null
	| {readonly shape: WireShape; readonly value: number}
	| {readonly shape: WireShape; readonly weight: NativeHandle}
	| {readonly shape: WireShape; readonly layer: number}
	| {readonly shape: WireShape; readonly slot: SlotName}
	| {readonly shape: WireShape; readonly tensor: NativeHandle};

export type SlotName = 'tokens' | 'positions' | 'sequences' | 'pages' | 'outputs' | 'targets' | 'samplers';

/** The slots of one step. All are `[rows]` or `[outputs]` but `pages`, which is `[sequences, pages per sequence]`. */
export type Slots = {readonly [name in SlotName]?: Int32Array};

export type WireProgram = {
	readonly values: readonly {readonly shape: WireShape}[];
	readonly ops: readonly {
		readonly op: string;
		readonly path: string;
		readonly inputs: readonly WireOperand[];
		readonly outputs: readonly WireOperand[];
		readonly attributes: Readonly<Record<string, number>>;
	}[];
	readonly results: Int32Array;
	readonly cache?: NativeHandle;
	readonly maxRows: number;
	readonly maxOutputs: number;
	readonly maxSequences: number;
	readonly pagesPerSequence: number;
	readonly threads: number;
	/** @default true */
	readonly lowered?: boolean;
};

export type OpDeclaration = {
	readonly name: string;
	readonly formula: string;
	readonly inputs: readonly Port[];
	readonly outputs: readonly Port[];
	readonly attributes: readonly string[];
};

type Port = {
	readonly name: string;
	readonly kind: 'value' | 'weight' | 'cache' | 'slot';
	readonly dims: string;
	readonly optional: boolean;
};

export type MemoryKind = 'weights' | 'cache' | 'activations' | 'staging';

export type LedgerTotals = {
	readonly allocated: number;
	readonly reserved: number;
	readonly peak: number;
	readonly byKind: Readonly<Record<MemoryKind, number>>;
	readonly buffers: number;
};

export type LedgerEntry = {
	readonly id: number;
	readonly kind: MemoryKind;
	readonly label: string;
	readonly owner: string;
	readonly bytes: number;
	readonly ageMs: number;
};

export type SamplerSettings = {
	readonly temperature: number;
	readonly topK: number;
	readonly topP: number;
	readonly minP: number;
	readonly repetitionPenalty: number;
	readonly seed: number;

	// What is absent is off.
	readonly temperatureLast?: 0 | 1;
	readonly smoothingFactor?: number;
	readonly dynamicMin?: number;
	readonly dynamicMax?: number;
	readonly dynamicExponent?: number;
	readonly topA?: number;
	readonly tfs?: number;
	readonly typicalP?: number;
	readonly skew?: number;
	readonly presencePenalty?: number;
	readonly frequencyPenalty?: number;
	readonly repetitionRange?: number;
	readonly repetitionDecay?: number;
	readonly dryMultiplier?: number;
	readonly dryBase?: number;
	readonly dryAllowedLength?: number;
	readonly dryRange?: number;
	readonly dryBreakers?: Int32Array;
	readonly xtcProbability?: number;
	readonly xtcThreshold?: number;
	/** Never removed. */
	readonly xtcIgnored?: Int32Array;
	readonly mirostatTau?: number;
	readonly mirostatEta?: number;
	/** `endIds` are not drawn before as many tokens were. */
	readonly minTokens?: number;
	readonly endIds?: Int32Array;
	/** Ids from here on are padding. */
	readonly vocabulary?: number;
	readonly biasIds?: Int32Array;
	readonly biasValues?: Float32Array;
	/** Empty: all. */
	readonly allowedIds?: Int32Array;
	readonly bannedIds?: Int32Array;
	/** At the first draw; empty: all. */
	readonly firstAllowedIds?: Int32Array;
	/** All have to allow a token. `endIds` are drawn where each filter may end, and only they once one was. */
	readonly filters?: readonly TextFilter[];
	/** A vocabulary, which filters need. */
	readonly tokenTexts?: NativeHandle;
	/** A token of the prompt that the first draw replaces: filters do not see its text, which the draw begins with. */
	readonly healedId?: number;
	/** Each draw then has two outputs; 1 is off. */
	readonly guidance?: number;
	/** Log-probabilities of as many of the most probable tokens, and of the drawn one; -1: none at all. */
	readonly observeTop?: number;
	readonly observeLogits?: 0 | 1;
	/** Hands the logits out instead of drawing. */
	readonly defer?: 0 | 1;
	/** Its variants of top-p and typical. */
	readonly exllamav2?: 0 | 1;
};

/** One of these texts and nothing more, or if it is open, anything that begins with one. */
export type TextFilter = {readonly texts: readonly string[]; readonly open: 0 | 1};

export type HeadSize = {
	readonly keyHeads: number;
	/** Elements per head. */
	readonly dim: number;
	/** @default 'fp16' */
	readonly type?: CacheTypeName;
};

/** A backend in a shared library of its own. */
export type BackendInfo = {
	readonly path: string;
	/** Of its devices, `cuda`; absent if the library cannot be opened. */
	readonly kind?: string;
	readonly build?: string;
	/** By index. */
	readonly devices: readonly {
		readonly name: string;
		readonly totalBytes: number;
		readonly freeBytes: number;
		readonly usable: boolean;
		readonly reason: string;
	}[];
	/** Why it has no devices; empty if it has. */
	readonly reason: string;
};

/** Numbers read from a device. */
export type NativeArray = Float32Array | Float64Array | Int32Array;

/** What a sampler saw, if its settings asked for it; log-probabilities are the model's own. */
export type Observation = {
	/** Drawn, or -3 if the draw was left to `samplerDraw`. */
	readonly id: number;
	readonly logProb: number;
	/** Most probable first. */
	readonly topIds: Int32Array;
	readonly topLogProbs: Float32Array;
	/** `[vocabulary]` */
	readonly logits?: Float32Array;
};

export type StepReply = {
	/** Of the program, in order. Ids may be -1, no token is left; -2, not drawn; -3, left to `samplerDraw`; -4, logits that are not finite. */
	readonly results: readonly NativeArray[];
	/** In the order of the outputs; absent if nobody asked for any. */
	readonly observations?: readonly Observation[];
};

/** The functions of the native addon. All throw, or reject with, `ExlError`. */
export type Addon = {
	opTable(): OpDeclaration[];
	cpuTarget(): string;
	errorCodes(): string[];
	/** Locks an open file against other processes until it is closed: false if one has it; undefined where that is impossible. */
	lockFile(fd: number): boolean | undefined;

	/** Backends in shared libraries, in `place`, a file or a folder; beside the addon if it is empty. */
	backends(place: string): BackendInfo[];
	openDevice(kind: string, index: number, place: string): NativeHandle;
	/** Joins the engine thread; call it when nothing is in flight. */
	closeDevice(device: NativeHandle): void;
	/** Settles when everything queued before has run. */
	drain(device: NativeHandle): Promise<void>;
	/** Forgets a handle; the object goes when nothing in flight uses it. */
	release(handle: NativeHandle): boolean;
	/** Asks the C library to give free heap memory back. */
	trim(): void;
	totals(device: NativeHandle): LedgerTotals;
	buffers(device: NativeHandle): LedgerEntry[];

	createLoader(device: NativeHandle, mode: LoaderName, owner: string): NativeHandle;
	/** `fallback` says why the mode is not the one asked for; empty if it is. */
	loaderState(loader: NativeHandle): {readonly mode: LoaderName; readonly fallback: string};
	/** @param loader Reads the pieces of files in `source`; null if all of it is in memory. */
	loadWeight(
		device: NativeHandle,
		loader: NativeHandle | null,
		source: WeightSource,
		label: string,
		owner: string,
	): Promise<NativeHandle>;
	createCache(device: NativeHandle, size: {layers: number; pages: number} & HeadSize, owner: string): NativeHandle;
	/** What a token takes in one layer, keys and values together; more on the oracle, for `fp16`. */
	cacheTokenBytes(size: HeadSize): number;
	/** Copies whole pages, in every layer, in its turn among the steps. */
	copyPages(device: NativeHandle, cache: NativeHandle, from: Int32Array, to: Int32Array): Promise<void>;
	createTensor(
		device: NativeHandle,
		values: Float64Array | null,
		shape: readonly number[],
		owner: string,
	): NativeHandle;
	readTensor(device: NativeHandle, tensor: NativeHandle): Promise<NativeArray>;
	/** Token `i` has the bytes from `offsets[i]` to `offsets[i + 1]`; none if it is not text. */
	createVocabulary(bytes: Uint8Array, offsets: Int32Array): NativeHandle;
	/** @throws {ExlError} `EXL_INVALID_ARGUMENT` for a filter with a text that no tokens spell. */
	createSampler(settings: SamplerSettings): NativeHandle;
	feedSampler(sampler: NativeHandle, tokens: Int32Array): void;
	/** Forgets all draws but the first `draws`, in its turn among the steps; `banned` is not drawn in place of the next. */
	rewindSampler(device: NativeHandle, sampler: NativeHandle, draws: number, banned: Int32Array): Promise<void>;
	/** For tests: what the next draw chooses from. */
	samplerDistribution(
		sampler: NativeHandle,
		logits: Float32Array,
	): {readonly ids: Int32Array; readonly probabilities: Float64Array};
	/** Draws in a row, each from these logits; -1 where the settings leave no token, -4 where logits are not finite. No step may use the sampler meanwhile. */
	samplerDraw(sampler: NativeHandle, logits: Float32Array, count: number): Int32Array;

	infer(op: string, shapes: readonly (WireShape | null)[]): number[][];
	compile(device: NativeHandle, program: WireProgram, owner: string): Promise<NativeHandle>;
	step(device: NativeHandle, program: NativeHandle, slots: Slots): Promise<StepReply>;
	setSlots(device: NativeHandle, program: NativeHandle, slots: Slots): Promise<void>;
	runOp(device: NativeHandle, program: NativeHandle, index: number): Promise<void>;
	readValue(device: NativeHandle, program: NativeHandle, value: number): Promise<NativeArray>;
	writeValue(device: NativeHandle, program: NativeHandle, value: number, values: Float64Array): Promise<void>;
};
