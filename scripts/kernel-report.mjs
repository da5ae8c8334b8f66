// @ts-check

// Compiles every CUDA kernel for the oldest architecture and for the first whose launches overlap, and reads their machine
// code: registers, spills, barriers, loads, instructions of one turn of the hot loop. Fails on a warning, on an access to
// device memory before the wait for the launch before, and with --check on a figure that grew.
//
//   node scripts/kernel-report.mjs [architecture...]    writes docs/kernels.md and scripts/kernels/figures.json
//   node scripts/kernel-report.mjs --check [architecture...]

import {spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {availableParallelism, tmpdir} from 'node:os';
import {join} from 'node:path';
import {compile, folder} from './kernels/compile.mjs';
import {compare, kept} from './kernels/ratchet.mjs';

const document = 'docs/kernels.md';
const figures = 'scripts/kernels/figures.json';
const [begin, end] = ['<!-- report: written by scripts/kernel-report.mjs -->', '<!-- end of report -->'];

const check = process.argv.includes('--check');
const named = process.argv.slice(2).filter(argument => /^\d+a?$/.test(argument));
const architectures = named.length > 0 ? named : ['75', '90'];

const {stdout, status} = spawnSync('nvcc', ['--version'], {encoding: 'utf8'});
if (status !== 0) {
	console.log('kernel-report: no nvcc here, nothing was compiled');
	process.exit();
}
const nvcc = /release ([\d.]+)/.exec(stdout)?.[1] ?? 'unknown';

/** By kernel, by architecture. @type {Map<string, Record<string, import('./kernels/compile.mjs').Figures>>} */
const report = new Map();
const out = mkdtempSync(join(tmpdir(), 'node-exllama-'));
const started = Date.now();
// The largest first, so that none is left over at the end.
const jobs = readdirSync(folder)
	.filter(file => file.endsWith('.cu'))
	.sort((a, b) => Number(/linear|attention/.test(b)) - Number(/linear|attention/.test(a)))
	.flatMap(source => architectures.map(architecture => ({source, architecture})));
try {
	const work = async () => {
		for (let job = jobs.shift(); job; job = jobs.shift())
			for (const [kernel, found] of await compile(job.source, job.architecture, out))
				report.set(kernel, {...report.get(kernel), [job.architecture]: found});
	};
	await Promise.all(Array.from({length: availableParallelism()}, work));
} finally {
	rmSync(out, {recursive: true});
}
const kernels = [...report].sort(([a], [b]) => (a < b ? -1 : 1));

/** @type {string[]} */
const complaints = [];
for (const [kernel, by] of kernels)
	for (const [architecture, {faults}] of Object.entries(by))
		for (const fault of faults) complaints.push(`${kernel} on sm_${architecture}: ${fault}`);

const seconds = Math.round((Date.now() - started) / 1000);
console.log(`${kernels.length} kernels for sm_${architectures.join(', sm_')} without a warning, in ${seconds} s`);

/** @type {import('./kernels/ratchet.mjs').Ratchet} */
const before = existsSync(figures) ? JSON.parse(readFileSync(figures, 'utf8')) : {nvcc, kernels: {}};
if (check && before.nvcc !== nvcc) {
	console.log(`nvcc ${nvcc} schedules in its own way: figures are those of ${before.nvcc}, and were not compared`);
} else if (check) {
	for (const [kernel, by] of kernels)
		for (const [architecture, found] of Object.entries(by)) {
			const {worse, better} = compare(kernel, architecture, found, before.kernels[kernel]?.[architecture]);
			complaints.push(...worse);
			for (const line of better) console.log(`${line}: npm run report:kernels keeps it so`);
		}
}

for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exitCode = 1;
if (!check) {
	const found = kernels.map(([kernel, by]) => [
		kernel,
		Object.fromEntries(Object.entries(by).map(([architecture, of]) => [architecture, kept(of)])),
	]);
	writeFileSync(figures, `${JSON.stringify({nvcc, kernels: Object.fromEntries(found)}, undefined, '\t')}\n`);

	const loads = (/** @type {Record<string, number>} */ of) =>
		[16, 8, 4, 2, 1].flatMap(bytes => (of[bytes] ? [`${of[bytes]} x ${bytes}`] : [])).join(', ');
	const header = [
		'kernel',
		...architectures.flatMap(a => [`sm_${a}: registers`, 'spilled', 'turn', 'products', 'loads a turn']),
		'barriers',
		'static shared bytes',
	];
	const rows = kernels.map(([kernel, by]) => [
		`\`${kernel}\``,
		...architectures.flatMap(a => {
			const of = by[a];
			return of
				? [of.registers, of.spilled, of.turn || '', of.products || '', loads(of.turnLoads)]
				: ['', '', '', '', ''];
		}),
		Object.values(by)[0]?.barriers,
		Object.values(by)[0]?.shared,
	]);
	const table = [header, header.map((_, i) => (i ? '--:' : '---')), ...rows].map(row => `| ${row.join(' | ')} |`);
	const text = readFileSync(document, 'utf8');
	const [above, below] = [text.slice(0, text.indexOf(begin)), text.slice(text.indexOf(end))];
	writeFileSync(document, `${above}${begin}\n\n${table.join('\n')}\n\n${below}`);
}
