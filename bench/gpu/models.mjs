// @ts-check

/** @typedef {{shape: string, format: string, bits?: number}} ModelSpec */

/** What is measured unless models are named: shapes of bench/random-model.mjs. @type {Record<string, ModelSpec>} */
export const usual = {
	'8b-exl2-4': {shape: '8b', format: 'exl2', bits: 4},
	'8b-exl2-3': {shape: '8b', format: 'exl2', bits: 3},
	'8b-exl2-6': {shape: '8b', format: 'exl2', bits: 6},
	'8b-gptq-4': {shape: '8b', format: 'gptq'},
	'0.5b-exl2-4': {shape: '0.5b', format: 'exl2', bits: 4},
	'70b-exl2-2.5': {shape: '70b', format: 'exl2', bits: 2.5},
};

/** And `tiny`, to see that everything works. @type {Record<string, ModelSpec>} */
export const models = {...usual, tiny: {shape: '0.8m', format: 'exl2', bits: 4}};

/** @param {string | undefined} list Names with commas between them. @param {boolean} isQuick */
export function namesOf(list, isQuick) {
	return list?.split(',') ?? (isQuick ? ['tiny'] : Object.keys(usual));
}
