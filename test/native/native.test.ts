import {execFile} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {expect, test} from 'vitest';

test('the native test program passes', async () => {
	const program = join(__dirname, '../../build/node_exllama_test');
	const cwd = await mkdtemp(join(tmpdir(), 'node-exllama-'));
	try {
		const {stdout} = await promisify(execFile)(program, {cwd});
		expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m);
	} finally {
		await rm(cwd, {recursive: true});
	}
});
