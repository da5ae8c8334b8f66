// @ts-check

// What a step costs by its number of rows: one token each of as many sequences (continuous batching), or as many tokens
// of one prompt. Steps of every size take turns, so that whatever else the machine does falls on all of them alike.
// Bar: 16 sequences at most 4 times one, which is 4 times the throughput.
//
//   node bench/rows.mjs MODEL [--rows 1,2,4,8,16,32,64,256] [--position 128] [--repeat 7] [--threads N] [--json]
//
// MODEL is a directory; `node bench/random-model.mjs DIR --shape 1b` writes one. Sequences are `position` tokens long and
// more than 64 of them are not tried. EXL_CPU_TARGET picks the instruction set.

import {availableParallelism} from 'node:os';
import {parseArgs} from 'node:util';
import {cpuTarget, openSteps} from './steps.mjs';
import {median, table} from './table.mjs';

const mostSequences = 64;

const {values, positionals} = parseArgs({
	allowPositionals: true,
	options: {
		rows: {type: 'string', default: '1,2,4,8,16,32,64,256'},
		position: {type: 'string', default: '128'},
		repeat: {type: 'string', default: '7'},
		threads: {type: 'string'},
		json: {type: 'boolean'},
	},
});
const [directory] = positionals;
if (directory === undefined) throw new Error('node bench/rows.mjs MODEL; see the head of this file');
const rows = values.rows.split(',').map(Number);
const position = Number(values.position);
const repeat = Number(values.repeat);
const threads = Number(values.threads ?? availableParallelism());

const steps = await openSteps(directory, {
	sequences: Math.max(...rows.filter(count => count <= mostSequences)),
	longest: Math.max(position + 1, ...rows),
	maxRows: Math.max(...rows),
	threads,
});
const kinds = [
	{
		name: 'decode',
		slots: (/** @type {number} */ count) => steps.decode(count, position),
		sizes: rows.filter(count => count <= mostSequences),
	},
	{name: 'prefill', slots: steps.prefill, sizes: rows},
];
const runs = kinds.flatMap(({name, slots, sizes}) =>
	sizes.map(count => ({name, count, slots: slots(count), times: /** @type {number[]} */ ([])})),
);
const one = steps.decode(1, position);
for (let round = 0; round <= repeat; round++) {
	for (const run of runs) {
		// After a long step the scheduler lets others go first, and the next one would pay for it.
		await steps.run(one);
		const milliseconds = await steps.run(run.slots);
		// The first round is a warm-up.
		if (round > 0) run.times.push(milliseconds);
	}
}
await steps.close();

const results = runs.map(({name, count, times}) => {
	const milliseconds = median(times);
	const one = median(runs.find(run => run.name === name)?.times ?? []);
	return {name, rows: count, milliseconds, least: Math.min(...times), ratio: milliseconds / one};
});
if (values.json) console.log(JSON.stringify({directory, target: cpuTarget(), threads, results}));
else {
	console.log(`${cpuTarget()}, ${threads} threads, sequences of ${position} tokens, medians of ${repeat}`);
	const lines = results.map(({name, rows, milliseconds, least, ratio}) => [
		name,
		String(rows),
		milliseconds.toFixed(1),
		least.toFixed(1),
		ratio.toFixed(2),
		((1000 * rows) / milliseconds).toFixed(1),
	]);
	console.log(table([['step', 'rows', 'ms', 'least ms', 'to one row', 'rows/s'], ...lines]));
}
