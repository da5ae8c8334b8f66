import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {expect, it} from 'vitest';
import {packageRoot} from '../../lib/native/index.js';
import {temporaryDirectory} from '../support/directory.js';
import {emulatorLibrary} from '../support/emulator.js';

/** `npm run test:gpu`, without the build. */
async function testGpu(args: readonly string[], env: Record<string, string> = {}) {
	const script = join(packageRoot, 'scripts/test-gpu.mjs');
	const child = spawn(process.execPath, [script, ...args], {env: {...process.env, ...env}});
	const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
	return {status, stdout, stderr};
}

it('says in one line why there is no GPU', async () => {
	const {status, stdout, stderr} = await testGpu([], {EXL_BACKEND_PATH: '/nowhere'});
	expect([status, stdout]).toEqual([1, '']);
	expect(stderr).toMatch(/^cuda cannot be used: this build has no cuda backend; \/nowhere: it cannot be opened: .*\n$/);
});

it('names the stages there are', async () => {
	const {status, stderr} = await testGpu(['--only', 'conformity']);
	expect(status).toBe(1);
	expect(stderr).toMatch(/^no stage conformity; there are open, linear, conformance, .*\n$/);
});

const stages = [
	'open',
	'linear',
	'conformance',
	'steps',
	'illegal',
	'golden',
	'memory',
	'lifecycle',
	'kernels',
	'bench',
];

// Under a sanitizer it takes many minutes, and the emulator is watched in other tests as well.
it.skipIf(emulatorLibrary === undefined || process.env.EXL_SANITIZE)(
	'is rehearsed on the emulator',
	async () => {
		const out = await temporaryDirectory();
		const more = ['--only', stages.join(), '--out', out, '--commit', 'abc'];
		const {status, stdout, stderr} = await testGpu(['--device', 'emulator', '--quick', ...more]);
		expect(status, stdout + stderr).toBe(0);
		expect(stdout).toMatch(/\n[1-9]\d* passed, 0 failed\n$/);

		const [name] = readdirSync(out);
		expect(name).toMatch(/^emulated-gpu-0-\d{4}-\d\d-\d\d\.json$/);
		const {commit, gpu, stages: done, models} = JSON.parse(readFileSync(join(out, name!), 'utf8'));
		expect([commit, gpu.name]).toEqual(['abc', 'emulated GPU 0']);
		expect(Object.keys(done)).toEqual(stages);
		for (const stage of Object.values(done)) expect(stage).toMatchObject({failed: 0});
		expect(models[0].results.map(({what}: {what: string}) => what)).toContain('prefill');

		// What has passed is not run again; what has no time left does not begin.
		const again = await testGpu(['--device', 'emulator', '--quick', ...more, '--resume']);
		expect(again.status, again.stdout).toBe(0);
		expect(again.stdout.match(/passed before$/gm)).toHaveLength(stages.length);
		const late = await testGpu(['--device', 'emulator', '--quick', '--only', 'open', '--out', out, '--within', '1']);
		expect([late.status, late.stdout]).toEqual([1, expect.stringMatching(/open +not run: no time is left/)]);
	},
	600_000,
);
