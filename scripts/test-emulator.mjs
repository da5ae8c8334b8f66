// @ts-check

// Every CUDA kernel on the CPU, on the full grid, under AddressSanitizer and UndefinedBehaviorSanitizer. Arguments are
// passed on: names of suites, --seeds N.

import {spawnSync} from 'node:child_process';
import {createRequire} from 'node:module';
import {join} from 'node:path';

const {root, build, main} = createRequire(import.meta.url)('./native-build.cjs');

main(() => {
	const out = 'build-asan';
	build({out, sanitize: 'address,undefined', tests: true});
	const {status, error} = spawnSync(join(root, out, 'exl_emulator_test'), ['--full', ...process.argv.slice(2)], {
		stdio: 'inherit',
		env: {...process.env, UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1'},
	});
	if (error) throw error;
	process.exitCode = status ?? 1;
});
