import {execFile} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {promisify} from 'node:util';
import {expect, test} from 'vitest';

test('the native test program passes', async () => {
	// Beside the folder of the addon, which is a sanitised one under `npm run test:asan`.
	const addon = process.env.EXL_ADDON_PATH ?? join(__dirname, '../../build/Release/node-exllama.node');
	const program = join(dirname(addon), '../node_exllama_test');
	const cwd = await mkdtemp(join(tmpdir(), 'node-exllama-'));
	try {
		const {stdout} = await promisify(execFile)(program, {cwd});
		expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m);
	} finally {
		await rm(cwd, {recursive: true});
	}
}, 300_000);
