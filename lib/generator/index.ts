export {Generation} from './generation.js';
export {type JobOutcome, prefillTokens, runJob} from './job.js';
export {abortable, expectManyListeners, firstOf, Turns} from './turns.js';
export type {Chunk, FinishReason, GenerateResult, JobRequest, Sequence, Timings} from './types.js';
