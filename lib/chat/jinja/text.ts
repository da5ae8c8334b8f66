/** Thrown where Python's Jinja would stop as well. */
export class TemplateError extends Error {}

/** Code units a text may have, and values a list: a template of a few lines can ask for more than any memory holds. */
export const mostUnits = 2 ** 26;
export const mostItems = 2 ** 22;

/** Mark of code units that the template or a special token wrote. */
const own = '0';
/** Mark of code units from a message, a tool or a variable. */
const foreign = '1';

/**
A string of a template that knows of each of its code units where it came from, whatever the template did with it: `marks`
is as long as `value`. Only so can it be told later which of two equal `<|im_end|>` a person has typed.
*/
export class Text {
	static readonly empty = new Text('', '');

	readonly value: string;
	readonly marks: string;

	constructor(value: string, marks: string) {
		if (value.length > mostUnits) throw new TemplateError(`a text of more than ${mostUnits} characters`);
		this.value = value;
		this.marks = marks;
	}

	/** A text all of which is the template's own. */
	static own(value: string): Text {
		return new Text(value, own.repeat(value.length));
	}

	static foreign(value: string): Text {
		return new Text(value, foreign.repeat(value.length));
	}

	static join(parts: readonly Text[], separator: Text = Text.empty): Text {
		let value = '';
		let marks = '';
		parts.forEach((part, i) => {
			value += i === 0 ? part.value : separator.value + part.value;
			marks += i === 0 ? part.marks : separator.marks + part.marks;
		});
		return new Text(value, marks);
	}

	/** Whether all of a range is the template's own. */
	isOwn(start = 0, end: number = this.value.length): boolean {
		return !this.marks.slice(start, end).includes(foreign);
	}

	plus(other: Text): Text {
		return new Text(this.value + other.value, this.marks + other.marks);
	}

	/** By code units. */
	slice(start: number, end?: number): Text {
		return new Text(this.value.slice(start, end), this.marks.slice(start, end));
	}

	times(count: number): Text {
		if (count > 0 && this.value.length * count > mostUnits) throw new TemplateError('a text repeated too often');
		return new Text(this.value.repeat(Math.max(0, count)), this.marks.repeat(Math.max(0, count)));
	}

	/** A text made of this one as a whole: no longer the template's own where any of it was not. */
	whole(value: string): Text {
		return this.isOwn() ? Text.own(value) : Text.foreign(value);
	}

	/** Each character replaced by some text, which came from where the character did. */
	map(replace: (character: string) => string): Text {
		let value = '';
		let marks = '';
		let at = 0;
		for (const character of this.value) {
			const replaced = replace(character);
			value += replaced;
			marks += this.marks[at]!.repeat(replaced.length);
			at += character.length;
		}
		return new Text(value, marks);
	}

	/** Where each code point begins, and the end; null if each is one code unit. Python counts in code points. */
	#knownStarts: readonly number[] | null | undefined;

	get #starts(): readonly number[] | null {
		if (this.#knownStarts === undefined) {
			this.#knownStarts = /[\uD800-\uDFFF]/.test(this.value) ? startsOf(this.value) : null;
		}
		return this.#knownStarts;
	}

	/** In code points. */
	get length(): number {
		return this.#starts ? this.#starts.length - 1 : this.value.length;
	}

	/** The code points from one to another. */
	points(start: number, end: number): Text {
		const starts = this.#starts;
		return starts ? this.slice(starts[start]!, starts[end]!) : this.slice(start, end);
	}

	characters(): Text[] {
		return Array.from({length: this.length}, (_, i) => this.points(i, i + 1));
	}
}

function startsOf(value: string): number[] {
	const starts = [0];
	let at = 0;
	for (const character of value) {
		at += character.length;
		starts.push(at);
	}
	return starts;
}
