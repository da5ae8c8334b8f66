import {ExlError} from '../errors/index.js';

/** What the system lacks, by the code of its error, and what to do about it. */
const lacks: {readonly [code: string]: string} = {
	EMFILE: 'too many files are open; close some, or raise the limit of open files (ulimit -n)',
	ENFILE: 'too many files are open on this machine; close some, or raise its limit (fs.file-max)',
	EAGAIN: 'no more processes can be started; end some, or raise their limit (ulimit -u, pids.max of a container)',
	ENOMEM: 'there is no memory left; end something, or take a smaller model',
};

const refusals: {readonly [code: string]: string} = {
	EACCES: 'permission denied; let this user read it',
	EPERM: 'permission denied; let this user read it',
	EISDIR: 'it is a folder, expected a file',
	ELOOP: 'its links lead in a circle',
};

/** Whether the system has said that there is nothing of a name, rather than that it may or can not look. */
export function isMissing(error: unknown): boolean {
	const {code} = error as NodeJS.ErrnoException;
	// The last two are of names that no file can have.
	return ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'].includes(code ?? '');
}

/** Why the system did not do something, in a sentence that says what to do where there is something to do. */
export function systemReason(error: unknown): string {
	const {code = '', message} = error as NodeJS.ErrnoException;
	return lacks[code] ?? refusals[code] ?? message;
}

/** The error for a path of a model that cannot be opened or listed. */
export function unreadable(path: string, cause: unknown): ExlError {
	const {code = ''} = cause as NodeJS.ErrnoException;
	const message = isMissing(cause) ? `${path} does not exist` : `${path} cannot be opened: ${systemReason(cause)}`;
	return new ExlError(code in lacks ? 'EXL_OUT_OF_MEMORY' : 'EXL_MODEL_NOT_FOUND', message, {cause});
}
