export type {ChatMessage, TextPart} from './messages.js';
export {ChatTemplate} from './template.js';
