// @ts-check

// npm run lifecycle -- --times 20: the stories of test/lifecycle, over and over. EXL_TEST_DEVICE names the device if it is
// not the CPU.

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {isDeepStrictEqual, parseArgs} from 'node:util';
import {writeRandomModel} from '../bench/random-model.mjs';
import {endings, isEmulated, limit, Pairs, phases, tell} from '../test/lifecycle/matrix.mjs';

const {values} = parseArgs({options: {times: {type: 'string', default: '1'}}});
const times = Number(values.times);

const directory = mkdtempSync(join(tmpdir(), 'node-exllama-lifecycle-'));
try {
	await writeRandomModel(directory, {shape: isEmulated ? '0.8m' : '130m'});
	let failed = 0;
	for (let round = 1; round <= times; round++) {
		const started = performance.now();
		const pairs = new Pairs();
		let slowest = 0;
		const stories = endings.map(async ending => {
			const expected = await pairs.add(() => tell('bare', ending, directory));
			const told = phases.map(async phase => {
				const outcome = await pairs.add(() => tell(phase, ending, directory));
				slowest = Math.max(slowest, ending.endsWith('end') ? 0 : outcome.milliseconds);
				const wanted = {...expected, milliseconds: outcome.milliseconds};
				if (isDeepStrictEqual(outcome, wanted) && outcome.milliseconds < limit(ending)) return;
				failed++;
				console.error(`${phase}, ${ending}: ${JSON.stringify(outcome)}, Node itself: ${JSON.stringify(expected)}`);
			});
			await Promise.all(told);
		});
		await Promise.all(stories);
		const seconds = ((performance.now() - started) / 1000).toFixed(1);
		const summary = `${phases.length * endings.length} stories in ${seconds} s`;
		console.log(`round ${round}: ${summary}, slowest end ${slowest.toFixed(0)} ms, ${failed} failed so far`);
	}
	if (failed > 0) process.exitCode = 1;
} finally {
	rmSync(directory, {recursive: true, force: true});
}
