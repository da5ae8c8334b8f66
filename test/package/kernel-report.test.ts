import {execFile} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {describe, expect, it} from 'vitest';
import {type Figures, measure} from '../../scripts/kernels/compile.mjs';
import {beforeWait, cheapestTurn, hotLoop, successors} from '../../scripts/kernels/flow.mjs';
import {compare, kept} from '../../scripts/kernels/ratchet.mjs';
import {decode, type Instruction, kernelsOf} from '../../scripts/kernels/sass.mjs';
import {temporaryDirectory} from '../support/directory.js';

/** `LDG`, `@BRA 7` under a predicate, `LDG.c` of what no kernel writes, `BSSY 7` and `BSYNC`. */
const code = (text: string): Instruction[] =>
	text
		.trim()
		.split(/\s*;\s*/)
		.filter(Boolean)
		.map(line => {
			const [, predicate, name = '', constant, target] = /^(@?)([A-Z0-9]+)(\.c)?(?: (\d+))?$/.exec(line)!;
			return {
				name,
				always: predicate === '',
				target: target === undefined ? undefined : Number(target),
				bytes: 16,
				constant: constant !== undefined,
				barrier: 0,
			};
		});
const early = (text: string) => {
	const instructions = code(text);
	const found = beforeWait(instructions, successors(instructions));
	return [found.early.map(({name}) => name).join(), found.ends];
};

describe('the wait for the launch before', () => {
	it('comes before every access, on every path', () => {
		expect(early('PREEXIT; ACQBULK; LDG; STG; EXIT')).toEqual(['', false]);
		expect(early('LDG; ACQBULK; STG; EXIT')).toEqual(['LDG', false]);
		// A path around it, and one to code that stands behind it.
		expect(early('@BRA 2; ACQBULK; STG; EXIT')).toEqual(['STG', true]);
		expect(early('BRA 3; LDG; EXIT; ACQBULK; BRA 1')).toEqual(['', false]);
		expect(early('@ACQBULK; LDG; EXIT')).toEqual(['LDG', true]);
		// Where threads meet again, it may have been waited for on one side alone.
		expect(early('BSSY 4; @BRA 3; ACQBULK; BSYNC; LDG; EXIT')).toEqual(['LDG', true]);
		expect(early('CALL 4; ACQBULK; LDG; EXIT; STG; RET')).toEqual(['STG', false]);
	});

	it('comes before every end of a thread', () => {
		expect(early('@EXIT; ACQBULK; LDG; EXIT')).toEqual(['', true]);
	});

	it('may be preceded by weights where weights are fetched early, and nowhere else', () => {
		const weights = code('LDG.c; LDGSTS; ACQBULK; LDG; EXIT');
		expect(measure('linear_few<A, B>', weights, 90).faults).toEqual([]);
		expect(measure('norm<half>', weights, 90).faults).toHaveLength(1);
		expect(measure('norm<half>', weights, 80).faults).toEqual([]);
		expect(measure('linear_few<A, B>', code('LDG; ACQBULK; EXIT'), 90).faults).toHaveLength(1);
		expect(measure('linear_few<A, B>', code('STG; ACQBULK; EXIT'), 90).faults).toHaveLength(1);
	});
});

describe('a turn of the hot loop', () => {
	const turn = (text: string) => {
		const instructions = code(text);
		const next = successors(instructions);
		const loop = hotLoop(instructions, next);
		return loop && cheapestTurn(instructions, next, loop);
	};

	it('is that of the loop with the products', () => {
		expect(turn('LDG; LDG; LDG; @BRA 0; HMMA; LDS; @BRA 4; EXIT')).toEqual([4, 5, 6]);
		expect(turn('LDG; STG; EXIT')).toBeUndefined();
		// A jump back to code that is passed once.
		expect(turn('BRA 3; HMMA; EXIT; LDG; BRA 1')).toBeUndefined();
	});

	it('follows one path, the cheapest that does all that the loop does', () => {
		// Two ways to decode, of which one is longer, and a copy that may be skipped.
		expect(turn('@BRA 2; LDGSTS; @BRA 6; LDS; LDS; BRA 7; LDS; HMMA; @BRA 0; EXIT')).toEqual([0, 1, 2, 6, 7, 8]);
	});

	it('goes through an inner loop once', () => {
		expect(turn('LDGSTS; LDS; @BRA 1; HMMA; @BRA 0; EXIT')).toEqual([0, 1, 2, 3, 4]);
	});
});

describe('the ratchet', () => {
	const figures: Figures = {
		registers: 64,
		spilled: 0,
		shared: 0,
		barriers: 2,
		loads: {16: 4, 4: 1},
		turn: 100,
		turnLoads: {16: 2},
		products: 4,
		early: 0,
		faults: [],
	};

	it('lets nothing grow, and says what shrank', () => {
		const before = kept(figures);
		expect(compare('k', '90', figures, before)).toEqual({worse: [], better: []});
		const worse = {...figures, spilled: 8, turn: 101, barriers: 3, turnLoads: {16: 1, 2: 8}, early: 1};
		expect(compare('k', '90', worse, before).worse).toHaveLength(5);
		const better = compare('k', '90', {...figures, turn: 99, registers: 255, turnLoads: {}}, before);
		expect(better).toEqual({worse: [], better: ['k on sm_90: 99 instructions a turn, 100 before']});
	});

	it('wants figures of every kernel', () => {
		expect(compare('k', '90', figures, undefined).worse[0]).toMatch(/is new/);
	});
});

it('refuses machine code whose jumps lead nowhere', () => {
	const view = new DataView(new ArrayBuffer(16));
	view.setBigUint64(0, 0x0000_1000_0000_7947n, true);
	expect(() => decode(view, 80)).toThrow(/unknown encoding/);
});

const hasCompiler = await promisify(execFile)('nvcc', ['--version']).then(
	() => true,
	() => false,
);

// The real thing: a kernel with a fault, as nvcc compiles it.
it.skipIf(!hasCompiler)('sees in machine code what reads too early', {timeout: 300_000}, async () => {
	const directory = await temporaryDirectory();
	const [source, cubin] = [join(directory, 'k.cu'), join(directory, 'k.cubin')];
	const wait = 'asm volatile("griddepcontrol.wait;" ::: "memory");';
	writeFileSync(
		source,
		`__global__ void good(const float* x, float* y) { ${wait} y[threadIdx.x] = x[threadIdx.x]; }
		__global__ void early(const float* x, float* y) { float v = *(volatile const float*)(x + threadIdx.x); ${wait} y[threadIdx.x] = v; }
		__global__ void ends(const float* x, float* y, int n) { if (threadIdx.x >= n) return; ${wait} y[threadIdx.x] = x[threadIdx.x]; }`,
	);
	await promisify(execFile)('nvcc', ['-cubin', '-arch=sm_90', source, '-o', cubin]);
	const found = kernelsOf(readFileSync(cubin), 90).map(({name, code}) => [name, measure(name, code, 90).faults]);
	const of = (part: string) => found.find(([name]) => name?.includes(part))?.[1];
	expect([of('good'), of('early'), of('ends')]).toEqual([
		[],
		[expect.stringMatching(/LD.* before it waits/)],
		[expect.stringMatching(/end without waiting/)],
	]);
});
