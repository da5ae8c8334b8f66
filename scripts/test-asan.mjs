// @ts-check

// The whole suite against an addon built with AddressSanitizer and UndefinedBehaviorSanitizer, in a build of its own.
// Arguments are passed on to vitest.

import {execFileSync, spawnSync} from 'node:child_process';
import {createRequire} from 'node:module';

const require = createRequire(import.meta.url);
const {build, main} = require('./native-build.cjs');

/** node itself is not instrumented, so the run-time library has to be there before it. @param {string} name */
function library(name) {
	return execFileSync(process.env.CXX ?? 'c++', [`-print-file-name=${name}`], {encoding: 'utf8'}).trim();
}

main(() => {
	const addon = build({out: 'build-asan', sanitize: 'address,undefined', tests: true});
	const env = {
		...process.env,
		EXL_ADDON_PATH: addon,
		EXL_SANITIZE: 'address,undefined',
		// libstdc++ comes along so that the interceptor of __cxa_throw finds the real one.
		LD_PRELOAD: `${library('libasan.so')}:${library('libstdc++.so.6')}`,
		// V8 does not free everything it has at exit, so leaks are not looked for here; the ledger's tests do that.
		ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:strict_string_checks=1:detect_stack_use_after_return=1',
		UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
	};
	const vitest = require.resolve('vitest/vitest.mjs');
	// An instrumented build is several times slower.
	const args = [vitest, 'run', '--testTimeout=600000', '--hookTimeout=600000', ...process.argv.slice(2)];
	process.exitCode = spawnSync(process.execPath, args, {stdio: 'inherit', env}).status ?? 1;
});
