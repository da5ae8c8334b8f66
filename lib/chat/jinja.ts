// Not an import: the package has one declaration file, of its ES module, which TypeScript does not let CommonJS import.
const jinja = require('@huggingface/jinja') as {
	Environment: new () => {set(name: string, value: unknown): unknown};
	Interpreter: new (environment: object) => {run(program: Program): {readonly value: string}};
	parse(tokens: readonly object[]): Program;
	tokenize(source: string, options: {lstrip_blocks: boolean; trim_blocks: boolean}): object[];
};

/** A parsed template. */
export type Program = {readonly type: 'Program'};

export const {Environment, Interpreter, parse, tokenize} = jinja;
