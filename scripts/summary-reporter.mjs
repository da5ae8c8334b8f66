// @ts-check

/** Vitest names only the counts that are not zero; this closes a run with all of them. */
export default class SummaryReporter {
	#line = '';

	/** @param {ReadonlyArray<import('vitest/node').TestModule>} modules @param {ReadonlyArray<unknown>} errors */
	onTestRunEnd(modules, errors) {
		const count = {passed: 0, failed: 0, skipped: 0, pending: 0};
		for (const module of modules) for (const test of module.children.allTests()) count[test.result().state]++;

		// A file or a hook that fails as a whole need not have a failing test.
		const broken = modules.filter(module => module.state() === 'failed' && count.failed === 0).length;
		this.#line = `${count.passed} passed, ${count.failed + broken + errors.length} failed, ${count.skipped} skipped`;
	}

	/** Called after the default reporter has printed its own summary. */
	onFinished() {
		console.log(this.#line);
	}
}
