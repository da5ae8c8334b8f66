import * as v from 'valibot';
import {parseOptions} from '../options/parse.js';

/** Other properties (`cache_control`) reach the template as they are. */
export type TextPart = {readonly type: 'text'; readonly text: string; readonly [property: string]: unknown};

/** One turn. Other properties (`name`, `tool_call_id`) reach the template as they are. */
export type ChatMessage = {
	/** 'system', 'user', 'assistant', 'tool', or what else the template knows. */
	readonly role: string;
	/** May be absent where there are tool calls. Parts are joined by newlines where the template knows strings only. */
	readonly content?: string | readonly TextPart[] | null | undefined;
	readonly tool_calls?: readonly object[] | undefined;
	readonly [property: string]: unknown;
};

const part = v.looseObject(
	{type: v.literal('text', "'text' (only text is supported)"), text: v.string('a string')},
	'a text part {type, text}',
);

// Chosen by hand rather than by a union, so that a mistake inside of a part is named with its place.
const content = v.lazy(value =>
	Array.isArray(value) ? v.array(part) : v.nullable(v.string('a string or a list of text parts')),
);

const message = v.pipe(
	v.looseObject(
		{
			role: v.pipe(v.string('a string'), v.nonEmpty('a non-empty string')),
			content: v.optional(content),
			tool_calls: v.optional(v.array(v.looseObject({}, 'an object'), 'a list')),
		},
		'an object {role, content}',
	),
	v.check(m => m.content != null || m.tool_calls !== undefined, 'an object with content or tool_calls'),
);

const schema = v.object({
	messages: v.pipe(v.array(message, 'a list of messages'), v.nonEmpty('a list of at least one message')),
});

/** Checks a conversation. @throws {ExlError} `EXL_INVALID_ARGUMENT`. */
export function parseMessages(messages: unknown): ChatMessage[] {
	return parseOptions(schema, {messages}, 'chat()').messages;
}

/** The texts of all parts. */
export function partTexts(messages: readonly ChatMessage[]): string[] {
	return messages.flatMap(({content}) => (Array.isArray(content) ? (content as TextPart[]).map(({text}) => text) : []));
}

/** The same with every content of parts as one string. */
export function joinParts(messages: readonly ChatMessage[]): ChatMessage[] {
	return messages.map(message =>
		Array.isArray(message.content) ? {...message, content: partTexts([message]).join('\n')} : message,
	);
}
