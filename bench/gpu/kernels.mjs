// @ts-check

// Compiles kernels.cu and runs it: every launcher on the layers of real models. Prints a table, or lines of JSON.
//
//   node bench/gpu/kernels.mjs [--seconds 240] [--no-overlap] [--quick] [--json]
//   node bench/gpu/kernels.mjs --compile sm_90     only compiles, for a machine without nvcc

import {parseArgs} from 'node:util';
import {table} from '../table.mjs';
import {compileProgram, runProgram} from './programs.mjs';

const {values} = parseArgs({
	options: {
		seconds: {type: 'string'},
		'no-overlap': {type: 'boolean'},
		quick: {type: 'boolean'},
		json: {type: 'boolean'},
		compile: {type: 'string'},
	},
});
const program = compileProgram('kernels', values.compile);
if (values.compile === undefined) {
	const args = [
		...(values.seconds ? ['--seconds', values.seconds] : []),
		...(values['no-overlap'] ? ['--no-overlap'] : []),
		...(values.quick ? ['--quick'] : []),
	];
	const {stdout, status} = runProgram(
		program,
		args,
		values.seconds ? Number(values.seconds) * 1000 + 40_000 : undefined,
	);
	if (values.json) process.stdout.write(stdout);
	else {
		const lines = stdout.split('\n').filter(line => line.startsWith('{') && line.endsWith('}'));
		const results = lines.map(line => JSON.parse(line)).filter(({launcher}) => launcher);
		const rows = results.map(({launcher, model, what, rows, microseconds, gigabytesPerSecond, ofRead}) => [
			launcher,
			model,
			what,
			String(rows),
			microseconds.toFixed(1),
			gigabytesPerSecond.toFixed(0),
			`${(100 * ofRead).toFixed(0)} %`,
		]);
		console.log(table([['launcher', 'model', '', 'rows', 'us', 'GB/s', 'of read'], ...rows]));
	}
	process.exitCode = status ?? 1;
}
