export {type HealedPrompt, healingIds, healPrompt} from './healing.js';
export {DetokenizerStream} from './stream.js';
export type {TokenTexts} from './token-texts.js';
export {type DecodeOptions, type EncodeOptions, Tokenizer} from './tokenizer.js';
