import * as v from 'valibot';
import {parseOptions} from '../options/parse.js';

export type TextPart = {readonly type: 'text'; readonly text: string};

/** One turn. Other properties (`name`, `tool_call_id`) reach the template as they are. */
export type ChatMessage = {
	/** 'system', 'user', 'assistant', 'tool', or what else the template knows. */
	readonly role: string;
	/** May be absent where there are tool calls. Several parts are joined by newlines. */
	readonly content?: string | readonly TextPart[] | null | undefined;
	readonly tool_calls?: readonly object[] | undefined;
	readonly [property: string]: unknown;
};

const part = v.strictObject(
	{type: v.literal('text', "'text' (only text is supported)"), text: v.string('a string')},
	'a text part',
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

/**
Checks a conversation; in the result a content of several parts is one string.

@throws {ExlError} `EXL_INVALID_ARGUMENT`.
*/
export function parseMessages(messages: unknown): ChatMessage[] {
	return parseOptions(schema, {messages}, 'chat()').messages.map(({content, ...rest}) => ({
		...rest,
		...(content === undefined ? {} : {content: Array.isArray(content) ? joined(content) : content}),
	}));
}

function joined(parts: readonly TextPart[]): string {
	return parts.map(({text}) => text).join('\n');
}
