export {DetokenizerStream} from './stream.js';
export {type DecodeOptions, type EncodeOptions, Tokenizer} from './tokenizer.js';
