// @ts-check

import {createRequire} from 'node:module';

const require = createRequire(import.meta.url);

/** Vitest names only the counts that are not zero; this closes a run with all of them, and with what it could not test. */
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
		for (const line of untested()) console.log(`not tested here: ${line}`);
		console.log(this.#line);
	}
}

/** Backends that exist but that this machine cannot run. */
function untested() {
	// Not built yet when types are checked.
	const built = (/** @type {string} */ file) => require(`../dist/${file}`);
	const {listDevices} = built('index.js');
	const {addon} = built('native/index.js');
	const targets = ['zen4', 'avx512vnni', 'avx512', 'avxvnni', 'avx2', 'neon'].filter(target => !runs(addon(), target));
	return [
		...listDevices()
			.filter((/** @type {{usable: boolean}} */ device) => !device.usable)
			.map((/** @type {{id: string, reason: string}} */ device) => `device ${device.id}: ${device.reason}`),
		...targets.map(target => `cpu target ${target}: this processor (${process.arch}) does not run it`),
	];
}

/** @param {{cpuTarget(): string}} addon @param {string} target */
function runs(addon, target) {
	process.env.EXL_CPU_TARGET = target;
	try {
		return addon.cpuTarget() === target;
	} catch {
		return false;
	} finally {
		delete process.env.EXL_CPU_TARGET;
	}
}
