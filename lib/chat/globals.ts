import {
	Callable,
	callable,
	Dict,
	integerArgument,
	Namespace,
	TemplateError,
	Text,
	textOf,
	type Value,
} from './jinja/index.js';
import {strftime} from './strftime.js';

/** Thrown by a template's `raise_exception`: the conversation breaks a rule of the template. */
export class TemplateRefusal extends Error {}

/** Numbers a `range()` may have: as many as where Hugging Face runs templates, Jinja's sandbox. */
const longestRange = 100_000;

/** What Jinja and Hugging Face's chat templates have without declaring it. @param now What `strftime_now` tells. */
export function templateGlobals(now: Date): Record<string, Value> {
	return {
		range: callable('range', ['start', 'stop', 'step'], range),
		raise_exception: callable('raise_exception', ['message'], message => {
			throw new TemplateRefusal(textOf(message ?? null).value);
		}),
		strftime_now: callable('strftime_now', ['format'], format => Text.own(strftime(textOf(format ?? null).value, now))),
		namespace: new Callable(({positional: [given], named}) => {
			const namespace = new Namespace();
			const entries = given instanceof Dict ? given.entries() : [];
			for (const [key, value] of entries) namespace.attributes.set(textOf(key).value, value);
			for (const [key, value] of named) namespace.attributes.set(key, value);
			return namespace;
		}),
		dict: new Callable(({positional: [given], named}) => {
			const entries: [Value, Value][] = given instanceof Dict ? given.entries() : [];
			return Dict.of([...entries, ...[...named].map(([key, value]) => [Text.own(key), value] as const)]);
		}),
	};
}

function range(first?: Value, second?: Value, by?: Value): number[] {
	const [start, stop] = second === undefined ? [0, first] : [integerArgument('range', first, 0), second];
	const end = integerArgument('range', stop ?? null, 0);
	const step = integerArgument('range', by, 1);
	if (step === 0) throw new TemplateError('range() arg 3 must not be zero');
	const length = Math.max(0, Math.ceil((end - start) / step));
	if (length > longestRange) {
		throw new TemplateError(`a range of ${length} numbers; templates may have ones of at most ${longestRange}`);
	}
	return Array.from({length}, (_, i) => start + i * step);
}
