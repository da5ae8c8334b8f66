import {constants} from 'node:fs';
import {type FileHandle, mkdir, open, readFile, stat, unlink} from 'node:fs/promises';
import {hostname} from 'node:os';
import {dirname} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {addon} from '../native/index.js';

export type Unlock = () => Promise<void>;

type LockFile = (fd: number) => boolean | undefined;

const pollMs = 200;

/**
Takes a lock that other processes respect, Python's `huggingface_hub` among them; the system frees it when its holder ends,
however that happens.

@param onWait Told once, if somebody else has it.
*/
export async function lock(file: string, signal: AbortSignal, onWait?: () => void): Promise<Unlock> {
	for (let first = true; ; first = false) {
		signal.throwIfAborted();
		const unlock = await tryLock(file);
		if (unlock) return unlock;
		if (first) onWait?.();
		await sleep(pollMs, undefined, {signal}).catch(() => signal.throwIfAborted());
	}
}

/** Undefined if somebody else has it. */
export async function tryLock(file: string, lockFile: LockFile = native): Promise<Unlock | undefined> {
	await mkdir(dirname(file), {recursive: true});
	const handle = await open(file, constants.O_RDWR | constants.O_CREAT, 0o666);
	const taken = lockFile(handle.fd);
	if (taken === undefined) {
		await handle.close();
		return markerLock(`${file}.pid`);
	}
	// Whoever had it may have removed the file, and then this lock is on nothing.
	if (taken && (await isStill(handle, file))) return () => handle.close();
	await handle.close();
	return undefined;
}

/** Without a native build a download is still possible. */
function native(fd: number): boolean | undefined {
	try {
		return addon().lockFile(fd);
	} catch {
		return undefined;
	}
}

async function isStill(handle: FileHandle, file: string): Promise<boolean> {
	const [opened, named] = await Promise.all([handle.stat(), stat(file).catch(() => undefined)]);
	return opened.ino === named?.ino;
}

/** For file systems without locks: a file that says who made it. */
async function markerLock(file: string): Promise<Unlock | undefined> {
	try {
		const handle = await open(file, 'wx');
		await handle.writeFile(`${process.pid} ${hostname()}`);
		await handle.close();
		return () => unlink(file);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
		const [pid, host] = (await readFile(file, 'utf8').catch(() => '')).split(' ');
		if (host === hostname() && !isAlive(Number(pid))) await unlink(file).catch(() => {});
		return undefined;
	}
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM';
	}
}
