import {ExlError, isExlError} from '../errors/index.js';
import {codeOf} from './network-error.js';
import {hostOf} from './refusal.js';
import type {HubSettings} from './settings.js';

/** Decimal, as disks are sold: `4.2 GB`. */
function amount(bytes: number): string {
	const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
	const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
	return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}

export function isDiskFull(error: unknown): boolean {
	return ['ENOSPC', 'EDQUOT'].includes(codeOf(error));
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
	return !isExlError(error) && typeof (error as NodeJS.ErrnoException | undefined)?.syscall === 'string';
}

type Space =
	| {readonly needed: number; readonly free: number}
	/** Found out on the way. */
	| {readonly loaded: number; readonly total: number};

export function diskFull(repo: string, cache: string, space: Space, cause?: unknown): ExlError {
	const message =
		'needed' in space
			? `${repo} needs ${amount(space.needed)} and ${cache} has ${amount(space.free)} free. ` +
				'Free some space, or set HF_HUB_CACHE to another disk.'
			: `The disk of ${cache} is full: ${amount(space.loaded)} of ${amount(space.total)} of ${repo} were written, ` +
				`${amount(space.total - space.loaded)} are missing. What is there is kept; run the same pull again when there is space.`;
	return new ExlError('EXL_DISK_FULL', message, {cause});
}

const reasons: {readonly [code: string]: string} = {
	EACCES: 'permission denied',
	EPERM: 'permission denied',
	EROFS: 'the disk can only be read',
	EIO: 'the disk failed',
	EMFILE: 'too many files are open',
	ENAMETOOLONG: 'a name is too long',
	ENOTDIR: 'a file is in the place of a folder',
	EEXIST: 'a file is in the place of a folder',
};

export function cannotWrite(cache: string, cause: NodeJS.ErrnoException): ExlError {
	const reason = reasons[codeOf(cause)] ?? cause.message;
	const place = cause.path ? ` (${cause.path})` : '';
	const message = `The cache ${cache} cannot be written: ${reason}${place}. Set HF_HUB_CACHE to a folder of yours.`;
	return new ExlError('EXL_DOWNLOAD_FAILED', message, {cause});
}

export function unsafeName(settings: HubSettings, path: string): ExlError {
	const message = `${hostOf(settings)} lists a file ${JSON.stringify(path)}, which cannot be written below the cache: nothing was downloaded.`;
	return new ExlError('EXL_DOWNLOAD_FAILED', message);
}
