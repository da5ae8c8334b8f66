import {dirname} from 'node:path';
import {type ErrorCode, ExlError} from '../errors/index.js';

/** Bytes of a file from which its kind can be told. */
export const kindBytes = 64;

type Kind = {
	readonly starts: RegExp;
	readonly code: ErrorCode;
	/** Completes "FILE is ...". */
	readonly advice: (file: string) => string;
};

/** Kinds of files that are found under the name of a model's file. No file of a model begins like them. */
const foreign: readonly Kind[] = [
	{
		starts: /^version https:\/\/git-lfs/,
		code: 'EXL_FORMAT_INVALID',
		advice: file =>
			`a pointer of Git LFS, not the file itself: run "git lfs pull" in ${dirname(file)}, or download the model with "npx node-exllama pull"`,
	},
	{
		starts: /^GGUF/,
		code: 'EXL_FORMAT_UNSUPPORTED',
		advice: () =>
			'a GGUF file, and GGUF is not supported yet: take the same model as a directory with config.json and *.safetensors',
	},
	{
		starts: /^PK\W{2}/,
		code: 'EXL_FORMAT_UNSUPPORTED',
		advice: () =>
			'a PyTorch checkpoint, which may run code when it is read and is not supported: take the model as *.safetensors',
	},
	{
		starts: /^\s*<(?:!doctype html|html)/i,
		code: 'EXL_FORMAT_INVALID',
		advice: () => 'a web page, not the file itself: download it again, from an address with /resolve/ in it',
	},
];

/**
Refuses a file that is something else than its name says.

@param head Its first bytes, `kindBytes` if it has as many.
@throws {ExlError} `EXL_FORMAT_UNSUPPORTED` for GGUF and PyTorch, `EXL_FORMAT_INVALID` for a pointer of Git LFS or a web page.
*/
export function refuseForeignFile(file: string, head: Uint8Array | string): void {
	const text = typeof head === 'string' ? head.slice(0, kindBytes) : Buffer.from(head).toString('latin1', 0, kindBytes);
	const kind = foreign.find(({starts}) => starts.test(text));
	if (kind) throw new ExlError(kind.code, `${file} is ${kind.advice(file)}`);
}
