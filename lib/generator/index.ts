export {Answer} from './answer.js';
export type {Observation, Step, StepEngine, StepReply} from './engine.js';
export {Gate} from './gate.js';
export {Generation, type StartJob} from './generation.js';
export type {Job, JobRequest, JobState, Strand} from './job.js';
export {NgramDrafter} from './ngram.js';
export {Scheduler} from './scheduler.js';
export {expectManyListeners, onAbort} from './signals.js';
export type {
	Chunk,
	Drafter,
	Emit,
	FinishReason,
	GenerateResult,
	Speculation,
	Timings,
	TokenDetails,
} from './types.js';
