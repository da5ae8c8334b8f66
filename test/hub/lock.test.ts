import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {existsSync, readdirSync, writeFileSync} from 'node:fs';
import {hostname} from 'node:os';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {lock, tryLock} from '../../lib/hub/lock.js';
import {temporaryDirectory} from '../support/directory.js';

const never = new AbortController().signal;
const nowhere = () => undefined;

const hasFlock = (() => {
	try {
		execFileSync('flock', ['--version']);
		return true;
	} catch {
		return false;
	}
})();

/** Another process that holds a lock until it is killed. */
async function holder(file: string): Promise<ChildProcess> {
	const code = `
		const {lock} = require(${JSON.stringify(join(__dirname, '../../dist/hub/lock.js'))});
		lock(process.argv[1], new AbortController().signal).then(() => {
			console.log('locked');
			setInterval(() => {}, 1000);
		});
	`;
	const child = spawn(process.execPath, ['-e', code, file], {stdio: ['ignore', 'pipe', 'inherit']});
	await new Promise(resolve => child.stdout!.once('data', resolve));
	return child;
}

test('excludes others, in this process and in another', async () => {
	const file = join(await temporaryDirectory(), 'deep', 'x.lock');
	const unlock = await tryLock(file);
	expect(unlock).toBeDefined();
	expect(await tryLock(file)).toBeUndefined();
	await unlock!();

	const child = await holder(file);
	expect(await tryLock(file)).toBeUndefined();
	let waited = 0;
	const waiting = lock(file, never, () => waited++);
	setTimeout(() => child.kill('SIGKILL'), 300);
	await (await waiting)();
	expect(waited).toBe(1);
});

test('waiting ends with the signal', async () => {
	const file = join(await temporaryDirectory(), 'x.lock');
	const unlock = await tryLock(file);
	const controller = new AbortController();
	const reason = new Error('enough');
	const waiting = lock(file, controller.signal, () => controller.abort(reason));
	await expect(waiting).rejects.toBe(reason);
	await unlock!();
});

test.skipIf(!hasFlock)('is what flock(1) of the system takes', async () => {
	const file = join(await temporaryDirectory(), 'x.lock');
	const flock = () => execFileSync('flock', ['--nonblock', file, 'echo', 'free'], {encoding: 'utf8'});
	const unlock = await tryLock(file);
	expect(flock).toThrow();
	await unlock!();
	expect(flock()).toBe('free\n');
});

test('where files cannot be locked, a marker stands for it', async () => {
	const directory = await temporaryDirectory();
	const file = join(directory, 'x.lock');
	const unlock = await tryLock(file, nowhere);
	expect(unlock).toBeDefined();
	expect(await tryLock(file, nowhere)).toBeUndefined();
	await unlock!();
	expect(readdirSync(directory)).toEqual(['x.lock']);
});

test('a marker of a process that has ended is nobody’s, one of another machine is not', async () => {
	const file = join(await temporaryDirectory(), 'x.lock');
	const child = spawn(process.execPath, ['-e', '']);
	await new Promise(resolve => child.once('exit', resolve));
	writeFileSync(`${file}.pid`, `${child.pid} ${hostname()}`);
	expect(await tryLock(file, nowhere)).toBeUndefined();
	const unlock = await tryLock(file, nowhere);
	expect(unlock).toBeDefined();
	await unlock!();

	writeFileSync(`${file}.pid`, `${child.pid} ${hostname()}-other`);
	expect(await tryLock(file, nowhere)).toBeUndefined();
	expect(await tryLock(file, nowhere)).toBeUndefined();
	expect(existsSync(`${file}.pid`)).toBe(true);
});
