export {type ChatMessage, parseMessages, type TextPart} from './messages.js';
export {TemplateReader} from './reader.js';
export {ChatTemplate, type RenderedText} from './template.js';
