// @ts-check

// Reads the machine code of kernels out of a cubin, as far as a report needs it: which instruction, under which
// predicate, where it jumps to, how wide it loads. Nothing of the toolkit is needed for that.
//
// An instruction is 128 bits from Volta on. Of its first 64: the operation is in bits 0-8 and the form of its operands in
// 9-11, the predicate in 12-14, 7 being "always", with its negation in 15. The size of a load is in bits 9-11 of the
// second 64.

/**
@typedef {object} Instruction
@property {string} name That of an operation the report looks at; its number otherwise.
@property {boolean} always Without a predicate.
@property {number | undefined} target Of a jump; an index.
@property {number} bytes Of a load or store.
@property {boolean} constant Of a load: of what no kernel writes while this one runs (`ld.global.nc`).
@property {number} barrier Register of BSSY and BSYNC.
*/

/** @typedef {{name: string, code: Instruction[]}} Kernel */

/** By operation, whatever its operands. */
const memory = new Map([
	[0x180, 'LD'],
	[0x181, 'LDG'],
	[0x183, 'LDL'],
	[0x184, 'LDS'],
	[0x185, 'ST'],
	[0x186, 'STG'],
	[0x187, 'STL'],
	[0x188, 'STS'],
	[0x18a, 'ATOM'],
	[0x18b, 'ATOM'],
	[0x18e, 'RED'],
	[0x1a8, 'ATOMG'],
	[0x1a9, 'ATOMG'],
	[0x1ae, 'LDGSTS'],
]);

/** By operation and operands. */
const others = new Map([
	[0x23c, 'HMMA'],
	[0x83b, 'LDSM'],
	[0xb1d, 'BAR'],
	[0x947, 'BRA'],
	[0x949, 'BRX'],
	[0x94a, 'JMP'],
	[0x94c, 'JMX'],
	[0x958, 'BRXU'],
	[0x943, 'CALL.ABS'],
	[0x944, 'CALL'],
	[0x950, 'RET'],
	[0x94d, 'EXIT'],
	[0x945, 'BSSY'],
	[0x941, 'BSYNC'],
	[0x82d, 'PREEXIT'],
	[0x82e, 'ACQBULK'],
]);

/** Jumps, which say how far. */
const jumps = new Set(['BRA', 'CALL', 'BSSY']);
/** All that reaches the memory of the device, or may. */
export const globals = new Set(['LDG', 'LD', 'LDGSTS', 'ST', 'STG', 'ATOM', 'ATOMG', 'RED']);
const widths = [1, 1, 2, 2, 4, 8, 16, 16];

/**
The distance of a jump from the instruction after it, in instructions. 48 bits count words of four bytes; from Hopper on
branches and calls have eight more below, where an operand used to be.

@param {bigint} low @param {bigint} high @param {boolean} isLong
*/
function distance(low, high, isLong) {
	const words = BigInt.asIntN(48, (low >> 34n) | ((high & 0x3ffffn) << 30n));
	const exact = isLong ? (words << 8n) | ((low >> 16n) & 0xffn) : words;
	return Number(exact) / 4;
}

/** @param {DataView} code @param {number} architecture @returns {Instruction[]} */
export function decode(code, architecture) {
	const found = [];
	for (let at = 0; at + 16 <= code.byteLength; at += 16) {
		const low = code.getBigUint64(at, true);
		const high = code.getBigUint64(at + 8, true);
		const operation = Number(low & 0xfffn);
		const name = others.get(operation) ?? memory.get(operation & 0x1ff) ?? `0x${operation.toString(16)}`;
		const index = at / 16;
		found.push({
			name,
			always: ((low >> 12n) & 0xfn) === 7n,
			target: jumps.has(name) ? index + 1 + distance(low, high, architecture >= 90 && name !== 'BSSY') : undefined,
			bytes: widths[Number((high >> 9n) & 7n)] ?? 0,
			constant: name === 'LDG' && ((high >> 13n) & 7n) === 4n,
			barrier: Number((low >> 16n) & 0xfn),
		});
	}
	for (const [index, {name, target}] of found.entries())
		if (target !== undefined && !(Number.isInteger(target) && target >= 0 && target < found.length))
			throw new Error(
				`instruction ${index}, ${name}, of sm_${architecture} seems to jump to ${target}: unknown encoding`,
			);
	return found;
}

/** @param {Buffer} cubin A 64-bit little-endian ELF file. @param {number} architecture @returns {Kernel[]} */
export function kernelsOf(cubin, architecture) {
	const view = new DataView(cubin.buffer, cubin.byteOffset, cubin.byteLength);
	const [first, size, count, namesAt] = [
		Number(view.getBigUint64(0x28, true)),
		view.getUint16(0x3a, true),
		view.getUint16(0x3c, true),
		view.getUint16(0x3e, true),
	];
	const section = (/** @type {number} */ i) => {
		const at = first + i * size;
		return {
			name: view.getUint32(at, true),
			offset: Number(view.getBigUint64(at + 0x18, true)),
			bytes: Number(view.getBigUint64(at + 0x20, true)),
		};
	};
	const strings = section(namesAt).offset;
	/** @type {Kernel[]} */
	const kernels = [];
	for (let i = 0; i < count; i++) {
		const {name: at, offset, bytes} = section(i);
		const name = cubin.toString('latin1', strings + at, cubin.indexOf(0, strings + at));
		if (!name.startsWith('.text.')) continue;
		const code = new DataView(cubin.buffer, cubin.byteOffset + offset, bytes);
		kernels.push({name: name.slice('.text.'.length), code: decode(code, architecture)});
	}
	return kernels;
}
