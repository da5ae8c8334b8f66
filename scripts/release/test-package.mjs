// @ts-check

// `npm run test:package`: the package in every runtime, layout and tool there is here (test/package/everywhere.test.ts).
//
// Takes the binaries in prebuilds/, and this build for a system without one. What it tries them with is in tools/package, of
// which some is for other systems and is run under qemu (Debian: qemu-user-static, libc6-arm64-cross, libstdc++6-arm64-cross).

import {spawnSync} from 'node:child_process';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** @param {string} command @param {string[]} args @param {string} [cwd] */
function run(command, args, cwd = root) {
	const env = {...process.env, EXL_TEST_PACKAGE: '1'};
	const {status} = spawnSync(command, args, {cwd, env, stdio: 'inherit', shell: process.platform === 'win32'});
	if (status !== 0) process.exit(status ?? 1);
}

const install = ['ci', '--force', '--ignore-scripts', '--no-audit', '--no-fund'];
run('npm', install, path.join(root, 'tools/package'));
run('npx', ['--no-install', 'vitest', 'run', '--testTimeout=300000', 'test/package', ...process.argv.slice(2)]);
