import {Budget, Scope} from './scope.js';
import {textOfBody} from './statements.js';
import type {Node} from './syntax.js';
import type {Text} from './text.js';
import type {Value} from './values.js';

/** The text of a template with some variables. @param messages Bounds its work. @throws {TemplateError} Where Python's Jinja fails. */
export function renderTemplate(
	template: readonly Node[],
	variables: Readonly<Record<string, Value>>,
	messages = 0,
): Text {
	const outer = new Scope(new Budget(messages));
	for (const [name, value] of Object.entries(variables)) outer.set(name, value);
	// A scope of its own, so that a template that sets a name of ours hides it.
	return textOfBody(template, new Scope(outer));
}

export {callable, integerArgument} from './arguments.js';
export {textOf} from './print.js';
export {type Node, parseTemplate} from './syntax.js';
export {TemplateError, Text} from './text.js';
export {Callable, Dict, Namespace, templateValue, type Value} from './values.js';
