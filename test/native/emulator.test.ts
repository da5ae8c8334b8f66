import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {expect, test} from 'vitest';

const program = join(__dirname, '../../build/exl_emulator_test');

// The emulator switches stacks itself and is built where POSIX is.
test.skipIf(process.platform === 'win32' && !existsSync(program))(
	'every CUDA kernel is right on the CPU',
	async () => {
		const {stdout} = await promisify(execFile)(program);
		expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m);
	},
	120_000,
);
