// @ts-check

// One source of native/cuda/kernels for one architecture: what the assembler says of its kernels, and their machine code.

import {execFile} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {beforeWait, cheapestTurn, hotLoop, successors} from './flow.mjs';
import {kernelsOf} from './sass.mjs';

export const folder = 'native/cuda/kernels';

/**
What is known of a kernel on one architecture. Loads are instructions by the bytes each thread gets.

@typedef {object} Figures
@property {number} registers
@property {number} spilled Bytes.
@property {number} shared Bytes, static.
@property {number} barriers In the whole kernel.
@property {Record<string, number>} loads From device memory, in the whole kernel.
@property {number} turn Instructions of the cheapest turn of the hot loop; 0 without a loop.
@property {Record<string, number>} turnLoads
@property {number} products Of tensor cores, in that turn.
@property {number} early Accesses to device memory before the wait for the launch before.
@property {string[]} faults What no kernel may do.
*/

/** Kernels that fetch weights, which no launch of a step writes, before they wait. */
const fetchesWeightsEarly = /^linear_few</;

/** @param {readonly import('./sass.mjs').Instruction[]} code */
function loadsOf(code) {
	/** @type {Record<string, number>} */
	const loads = {};
	for (const {name, bytes} of code)
		if (name === 'LDG' || name === 'LD' || name === 'LDGSTS') loads[bytes] = (loads[bytes] ?? 0) + 1;
	return loads;
}

/** @param {string} name @param {readonly import('./sass.mjs').Instruction[]} code @param {number} architecture */
export function measure(name, code, architecture) {
	const next = successors(code);
	const loop = hotLoop(code, next);
	const turn = loop ? cheapestTurn(code, next, loop).map(i => /** @type {typeof code[0]} */ (code[i])) : [];
	const faults = [];
	let early = 0;
	// Older devices overlap nothing, and have no instruction to wait.
	if (architecture >= 90) {
		const before = beforeWait(code, next);
		early = before.early.length;
		if (before.ends) faults.push('a thread may end without waiting for the launch before');
		const isWeight = (/** @type {typeof code[0]} */ {name: of, constant}) => of === 'LDGSTS' || constant;
		const wrong = before.early.filter(access => !(fetchesWeightsEarly.test(name) && isWeight(access)));
		if (wrong.length > 0)
			faults.push(`${[...new Set(wrong.map(access => access.name))].join(', ')} before it waits for the launch before`);
	}
	if (code.some(({name: of}) => of === 'LDL' || of === 'STL') && fetchesWeightsEarly.test(name))
		faults.push('local memory in a kernel that is bound by memory');
	return {
		barriers: code.filter(({name: of}) => of === 'BAR').length,
		loads: loadsOf(code),
		turn: turn.length,
		turnLoads: loadsOf(turn),
		products: turn.filter(({name: of}) => of === 'HMMA').length,
		early,
		faults,
	};
}

/** @param {string[]} mangled @returns {Promise<string[]>} */
async function demangle(mangled) {
	const {stdout} = await promisify(execFile)('c++filt', mangled);
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

/**
Fails on a warning.

@param {string} source @param {string} architecture @param {string} out @returns {Promise<Map<string, Figures>>}
*/
export async function compile(source, architecture, out) {
	const cubin = join(out, `${source}.${architecture}.cubin`);
	const args = [
		'-std=c++20',
		'-O3',
		'-I',
		'native',
		'-cubin',
		`-arch=sm_${architecture}`,
		join(folder, source),
		'-o',
		cubin,
	];
	const flags = ['-Xptxas', '-v', '-Xcompiler', '-Wall,-Wextra', '--Werror', 'all-warnings'];
	let stderr;
	try {
		({stderr} = await promisify(execFile)('nvcc', [...args, ...flags], {maxBuffer: 2 ** 26}));
	} catch (error) {
		throw new Error(`${source} for sm_${architecture}:\n${/** @type {{stderr: string}} */ (error).stderr}`);
	}
	/** @type {Map<string, {registers: number, spilled: number, shared: number}>} */
	const said = new Map();
	for (const part of stderr.split('Compiling entry function ').slice(1)) {
		const number = (/** @type {RegExp} */ pattern) => Number(pattern.exec(part)?.[1] ?? 0);
		said.set(/'(\w+)'/.exec(part)?.[1] ?? '', {
			registers: number(/Used (\d+) registers/),
			spilled: number(/(\d+) bytes spill stores/),
			shared: number(/(\d+) bytes smem/),
		});
	}
	const kernels = kernelsOf(readFileSync(cubin), Number.parseInt(architecture, 10));
	const names = await demangle(kernels.map(({name}) => name));
	/** @type {Map<string, Figures>} */
	const found = new Map();
	for (const [i, {name, code}] of kernels.entries()) {
		const usage = said.get(name);
		if (!usage) throw new Error(`the assembler says nothing of ${name} of ${source}`);
		const readable = names[i] ?? name;
		found.set(readable, {...usage, ...measure(readable, code, Number.parseInt(architecture, 10))});
	}
	return found;
}
