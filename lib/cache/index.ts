export {ContiguousPages, pageTokens, type SequencePages} from './contiguous.js';
