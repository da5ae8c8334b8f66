// @ts-check

// What a kernel may take: figures.json holds what each took, and none may take more. `npm run report:kernels` writes it.

/** @typedef {import('./compile.mjs').Figures} Figures */

/** @typedef {Pick<Figures, 'spilled' | 'barriers' | 'loads' | 'turn' | 'turnLoads' | 'early'>} Kept */

/** Figures of one compiler: another schedules differently. @typedef {{nvcc: string, kernels: Record<string, Record<string, Kept>>}} Ratchet */

/** @param {Figures} figures @returns {Kept} */
export const kept = ({spilled, barriers, loads, turn, turnLoads, early}) => ({
	spilled,
	barriers,
	loads,
	turn,
	turnLoads,
	early,
});

/** Loads of fewer than 16 bytes; many of them where few were is a vector that came apart. @param {Record<string, number>} loads */
const narrow = loads => Object.entries(loads).reduce((sum, [bytes, count]) => (bytes === '16' ? sum : sum + count), 0);

/** @type {ReadonlyArray<readonly [string, (kept: Kept) => number]>} */
const measures = [
	['bytes spilled', ({spilled}) => spilled],
	['barriers', ({barriers}) => barriers],
	['instructions a turn', ({turn}) => turn],
	['narrow loads a turn', ({turnLoads}) => narrow(turnLoads)],
	['narrow loads', ({loads}) => narrow(loads)],
	['accesses before the wait', ({early}) => early],
];

/**
What grew, and what may be tightened.

@param {string} kernel @param {string} architecture @param {Figures} found @param {Kept | undefined} before
@returns {{worse: string[], better: string[]}}
*/
export function compare(kernel, architecture, found, before) {
	const of = `${kernel} on sm_${architecture}`;
	if (!before) return {worse: [`${of} is new: run npm run report:kernels`], better: []};
	const now = kept(found);
	/** @type {{worse: string[], better: string[]}} */
	const result = {worse: [], better: []};
	for (const [name, value] of measures) {
		const [was, is] = [value(before), value(now)];
		if (is !== was) result[is > was ? 'worse' : 'better'].push(`${of}: ${is} ${name}, ${was} before`);
	}
	return result;
}
