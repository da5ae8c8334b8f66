import type {GenerateResult} from '../generator/index.js';
import type {Level} from '../log/index.js';
import type {Diagnostics, GeneratorSnapshot, ScoreResult} from '../model/index.js';
import type {NativeArray} from '../native/index.js';
import type {LoaderName, LoadOptions, LoadProgress} from '../options/index.js';
import type {ResolvedGenerateOptions} from '../sampling/index.js';
import type {Batch} from './batch.js';
import type {WireError} from './wire-error.js';

// What parent and child say to each other. Everything is plain data: signals and listeners stay in the parent, and so
// does the tokenizer, so a prompt is always token ids.

/** Something the child does, named as the method it stands for. */
export type Call =
	| {
			readonly method: 'loadModel';
			readonly directory: string;
			readonly options: LoadOptions;
			/** Whether the parent has a logger. */
			readonly logs: boolean;
	  }
	| GenerateCall
	| {readonly method: 'score' | 'logits'; readonly ids: readonly number[]}
	| {readonly method: 'snapshot'}
	| {readonly method: 'diagnostics'};

export type GenerateCall = {
	readonly method: 'generate';
	readonly ids: readonly number[];
	readonly options: Omit<ResolvedGenerateOptions, 'signal' | 'logitsHook'>;
	/** Whether anybody wants chunks, and not just the answer. */
	readonly streams: boolean;
};

/** What a call answers. */
export type Answers = {
	readonly loadModel: ModelFacts;
	readonly generate: GenerateResult;
	readonly score: ScoreResult;
	readonly logits: NativeArray;
	readonly snapshot: GeneratorSnapshot;
	readonly diagnostics: Diagnostics;
};

/** What the parent's model says about itself. */
export type ModelFacts = {
	readonly architecture: string;
	readonly contextTokens: number;
	readonly cacheTokens: number;
	readonly loader: LoaderName;
	readonly device: string;
	/** Bytes on the child's ledger. */
	readonly bytes: number;
};

export type ToChild =
	| {readonly type: 'call'; readonly id: number; readonly call: Call}
	/** The reader took this many chunks. */
	| {readonly type: 'taken'; readonly id: number; readonly count: number}
	/** The reader left its loop: end in order. */
	| {readonly type: 'leave'; readonly id: number}
	/** Nobody waits for the answer any more. */
	| {readonly type: 'abort'; readonly id: number};

export type FromChild =
	| {readonly type: 'log'; readonly level: Level; readonly line: string}
	| {readonly type: 'progress'; readonly id: number; readonly progress: LoadProgress}
	| {readonly type: 'chunks'; readonly id: number; readonly batch: Batch}
	/** With the last chunks, if there are any. */
	| {readonly type: 'answer'; readonly id: number; readonly value: Answers[keyof Answers]; readonly batch?: Batch}
	| {readonly type: 'failure'; readonly id: number; readonly error: WireError};

/** Chunks that may be on their way to a reader before its job pauses; enough to hide the way there and back. */
export const chunksInFlight = 256;

/** Chunks that make a message full, and as many taken are worth telling. */
export const chunksPerMessage = 128;

/**
Milliseconds between two messages with chunks of one job. A chunk that comes later than this after the last message does
not wait, so only models above 125 tokens/s have theirs gathered. To read a message takes the parent about 0.3 ms, on a
core that the model may be using.
*/
export const messageIntervalMs = 8;
