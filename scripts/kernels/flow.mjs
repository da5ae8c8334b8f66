// @ts-check

// Where the instructions of a kernel lead: what is reached before what, its loops, and the cheapest way round one.

import {globals} from './sass.mjs';

/** @typedef {import('./sass.mjs').Instruction} Instruction */

/** For each instruction those that may follow it. @param {readonly Instruction[]} code @returns {number[][]} */
export function successors(code) {
	/** Where threads go on that met at a BSYNC. @type {Map<number, number[]>} */
	const meetings = new Map();
	for (const {name, barrier, target} of code)
		if (name === 'BSSY') meetings.set(barrier, [...(meetings.get(barrier) ?? []), /** @type {number} */ (target)]);
	return code.map(({name, always, target, barrier}, i) => {
		const next = i + 1 < code.length ? [i + 1] : [];
		switch (name) {
			case 'BRA':
				return always ? [/** @type {number} */ (target)] : [...next, /** @type {number} */ (target)];
			case 'CALL':
				// What is called returns to the next one.
				return [...next, /** @type {number} */ (target)];
			case 'RET':
			case 'EXIT':
				return always ? [] : next;
			case 'BSYNC': {
				const targets = meetings.get(barrier) ?? [];
				return targets.includes(i + 1) ? next : [...next, ...targets];
			}
			case 'BRX':
			case 'BRXU':
			case 'JMP':
			case 'JMX':
			case 'CALL.ABS':
				throw new Error('a jump to an address in a register: the report cannot follow it');
			default:
				return next;
		}
	});
}

/**
What a kernel may do before it has waited for the launch before, on any path.

@param {readonly Instruction[]} code @param {readonly number[][]} next
@returns {{early: Instruction[], ends: boolean}} Accesses to device memory, and whether a thread may end.
*/
export function beforeWait(code, next) {
	const seen = new Set([0]);
	/** @type {Instruction[]} */
	const early = [];
	let ends = false;
	for (const open = [0]; open.length > 0; ) {
		const i = /** @type {number} */ (open.pop());
		const instruction = /** @type {Instruction} */ (code[i]);
		if (instruction.name === 'ACQBULK' && instruction.always) continue;
		if (globals.has(instruction.name)) early.push(instruction);
		if (instruction.name === 'EXIT') ends = true;
		for (const to of next[i] ?? []) {
			if (seen.has(to)) continue;
			seen.add(to);
			open.push(to);
		}
	}
	return {early, ends};
}

/** Instructions from which `at` can be reached without passing `head`. @param {readonly number[][]} before @param {number} at @param {number} head */
function reaching(before, at, head) {
	const body = new Set([head, at]);
	for (const open = at === head ? [] : [at]; open.length > 0; )
		for (const from of before[/** @type {number} */ (open.pop())] ?? [])
			if (!body.has(from)) {
				body.add(from);
				open.push(from);
			}
	return body;
}

/** Bodies by their first instruction. @param {readonly number[][]} next @returns {Map<number, Set<number>>} */
export function loopsOf(next) {
	/** @type {number[][]} */
	const before = next.map(() => []);
	for (const [from, list] of next.entries()) for (const to of list) before[to]?.push(from);
	/** @type {Map<number, Set<number>>} */
	const loops = new Map();
	// The assembler lays loops out in order: what jumps back goes to the head of one.
	for (const [from, list] of next.entries())
		for (const head of list) {
			if (head > from) continue;
			const body = reaching(before, from, head);
			// Not a loop if it can be entered elsewhere: a jump back to code that was moved to the end.
			const isEntered = [...body].some(i => i !== head && (i === 0 || (before[i] ?? []).some(from => !body.has(from))));
			if (!isEntered) loops.set(head, new Set([...(loops.get(head) ?? []), ...body]));
		}
	return loops;
}

/**
The kinds of work by which a loop is known as hot. A turn does all of them that the loop does.

@type {ReadonlyArray<readonly [string, (instruction: Instruction) => boolean]>}
*/
const kinds = [
	['product', ({name}) => name === 'HMMA'],
	['copy', ({name}) => name === 'LDGSTS'],
	['load', ({name}) => name === 'LDG' || name === 'LD'],
	['store', ({name}) => name === 'STG' || name === 'ST'],
];

/**
The loop in which a kernel spends its time: the smallest that has the most products, or else copies, or else loads.

@param {readonly Instruction[]} code @param {readonly number[][]} next
@returns {{head: number, body: Set<number>} | undefined}
*/
export function hotLoop(code, next) {
	const loops = [...loopsOf(next)].map(([head, body]) => {
		const of = [...body].map(i => /** @type {Instruction} */ (code[i]));
		return {head, body, work: kinds.map(([, is]) => of.filter(is).length)};
	});
	const best = loops.sort((a, b) => {
		for (const i of kinds.keys())
			if (a.work[i] !== b.work[i]) return /** @type {number} */ (b.work[i]) - /** @type {number} */ (a.work[i]);
		return a.body.size - b.body.size;
	})[0];
	return best?.work.some(count => count > 0) ? best : undefined;
}

/**
The cheapest turn of a loop that does every kind of work the loop does: one width of codes, no masked tile. Inner loops
are gone through once.

@param {readonly Instruction[]} code @param {readonly number[][]} next @param {{head: number, body: Set<number>}} loop
@returns {number[]} The instructions of the turn.
*/
export function cheapestTurn(code, next, {head, body}) {
	const kindOf = (/** @type {number} */ i) =>
		kinds.reduce((bits, [, is], kind) => (is(/** @type {Instruction} */ (code[i])) ? bits | (1 << kind) : bits), 0);
	const wanted = [...body].reduce((bits, i) => bits | kindOf(i), 0);
	// Every step costs one, so what is reached first is reached by the fewest.
	const state = (/** @type {number} */ i, /** @type {number} */ done) => i * 16 + done;
	/** @type {Map<number, number>} */
	const from = new Map([[state(head, kindOf(head)), -1]]);
	/** The last instructions of turns, by what they did. @type {Map<number, number>} */
	const turns = new Map();
	for (let front = [...from.keys()]; front.length > 0 && !turns.has(wanted); ) {
		const reached = [];
		for (const at of front) {
			const [i, done] = [Math.floor(at / 16), at % 16];
			for (const to of next[i] ?? []) {
				if (to === head && !turns.has(done)) turns.set(done, at);
				if (!body.has(to) || to === head) continue;
				const then = state(to, done | kindOf(to));
				if (from.has(then)) continue;
				from.set(then, at);
				reached.push(then);
			}
		}
		front = reached;
	}
	// Where no turn does everything, the products count first.
	const weight = (/** @type {number} */ done) => kinds.reduce((sum, _, kind) => 2 * sum + ((done >> kind) & 1), 0);
	const best = [...turns.keys()].sort((x, y) => weight(y) - weight(x))[0];
	const path = [];
	for (let at = turns.get(best ?? -1) ?? -1; at !== -1; at = from.get(at) ?? -1) path.push(Math.floor(at / 16));
	return path.reverse();
}
