export {type ChatMessage, parseMessages, type TextPart} from './messages.js';
export {ChatTemplate} from './template.js';
