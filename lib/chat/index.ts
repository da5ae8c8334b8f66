export {type ChatMessage, parseMessages, type TextPart} from './messages.js';
export {ChatTemplate, type RenderedText} from './template.js';
