// @ts-check

// Compiles every CUDA kernel for the oldest and a current architecture and writes what the assembler says of each into
// docs/kernels.md: registers, spills, shared memory. Names the kernels that spill, and fails on a warning.
//
//   node scripts/kernel-report.mjs [--check] [architecture...]     --check: only compile and complain

import {spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const folder = 'native/cuda/kernels';
const document = 'docs/kernels.md';
const [begin, end] = ['<!-- report: written by scripts/kernel-report.mjs -->', '<!-- end of report -->'];

const check = process.argv.includes('--check');
const named = process.argv.slice(2).filter(argument => /^\d+a?$/.test(argument));
const architectures = named.length > 0 ? named : ['75', '90'];

/** @param {string[]} mangled @returns {string[]} */
function demangle(mangled) {
	const {stdout, status} = spawnSync('c++filt', {input: mangled.join('\n'), encoding: 'utf8'});
	if (status !== 0) return mangled;
	return stdout
		.trim()
		.split('\n')
		.map(name =>
			name
				.replace(/^void /, '')
				.replace(/\(exl::cuda::\w+(?:<.*>)?\)$/, '')
				.replaceAll('exl::cuda::', '')
				.replaceAll('__nv_bfloat16', 'bfloat')
				.replaceAll('__half', 'half')
				.replaceAll('_kernel', ''),
		);
}

/** @typedef {{kernel: string, registers: number, spill: number, stack: number, shared: number}} Usage */

/** @param {string} source @param {string} architecture @param {string} out @returns {Usage[]} */
function compile(source, architecture, out) {
	const args = ['-std=c++20', '-O3', '-I', 'native', '-c', join(folder, source), '-o', join(out, 'kernel.o')];
	const flags = ['-Xptxas', '-v', '-Xcompiler', '-Wall,-Wextra', '--Werror', 'all-warnings'];
	const target = ['-gencode', `arch=compute_${architecture},code=sm_${architecture}`];
	const {status, stderr, error} = spawnSync('nvcc', [...args, ...flags, ...target], {encoding: 'utf8'});
	if (error) throw error;
	if (status !== 0) throw new Error(`${source} for sm_${architecture}:\n${stderr}`);

	/** @type {Usage[]} */
	const found = [];
	for (const part of stderr.split('Compiling entry function ').slice(1)) {
		/** @param {RegExp} pattern */
		const number = pattern => Number(pattern.exec(part)?.[1] ?? 0);
		found.push({
			kernel: /'(\w+)'/.exec(part)?.[1] ?? '',
			registers: number(/Used (\d+) registers/),
			spill: number(/(\d+) bytes spill stores/),
			stack: number(/(\d+) bytes stack frame/),
			shared: number(/(\d+) bytes smem/),
		});
	}
	const names = demangle(found.map(usage => usage.kernel));
	return found.map((usage, i) => ({...usage, kernel: names[i] ?? usage.kernel}));
}

if (spawnSync('nvcc', ['--version'], {stdio: 'ignore'}).status !== 0) {
	console.log('kernel-report: no nvcc here, nothing was compiled');
	process.exit();
}

/** By kernel, one usage per architecture. @type {Map<string, Usage[]>} */
const report = new Map();
const spilling = [];
const out = mkdtempSync(join(tmpdir(), 'node-exllama-'));
const started = Date.now();
try {
	for (const source of readdirSync(folder).filter(file => file.endsWith('.cu')))
		for (const architecture of architectures)
			for (const usage of compile(source, architecture, out)) {
				report.set(usage.kernel, [...(report.get(usage.kernel) ?? []), usage]);
				if (usage.spill > 0) spilling.push(`${usage.kernel} spills ${usage.spill} bytes on sm_${architecture}`);
			}
} finally {
	rmSync(out, {recursive: true});
}

const seconds = Math.round((Date.now() - started) / 1000);
console.log(`${report.size} kernels for sm_${architectures.join(', sm_')} without a warning, in ${seconds} s`);
for (const line of spilling) console.log(line);

if (!check) {
	const header = ['kernel', ...architectures.flatMap(a => [`registers, sm_${a}`, 'spilled']), 'static shared bytes'];
	const rows = [...report]
		.sort(([a], [b]) => (a < b ? -1 : 1))
		.map(([kernel, usages]) => [
			`\`${kernel}\``,
			...usages.flatMap(({registers, spill}) => [registers, spill]),
			usages[0]?.shared ?? 0,
		]);
	const table = [header, header.map((_, i) => (i ? '--:' : '---')), ...rows].map(row => `| ${row.join(' | ')} |`);
	const text = readFileSync(document, 'utf8');
	const [before, after] = [text.slice(0, text.indexOf(begin)), text.slice(text.indexOf(end))];
	writeFileSync(document, `${before}${begin}\n\n${table.join('\n')}\n\n${after}`);
}
