import {defineConfig} from 'vitest/config';

export default defineConfig({
	test: {
		include: ['test/**/*.test.ts'],
		globalSetup: 'test/global-setup.ts',
		// Processes, because a native crash must not take the other files with it and because tests look at the memory of
		// their process. Two, because that is what the smallest machine has.
		pool: 'forks',
		poolOptions: {forks: {maxForks: 2, execArgv: ['--expose-gc']}},
		testTimeout: 60_000,
		hookTimeout: 60_000,
		reporters: ['default', './scripts/summary-reporter.mjs'],
	},
});
