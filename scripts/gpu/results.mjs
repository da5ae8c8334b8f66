// @ts-check

import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

/** @typedef {import('./stages.mjs').Outcome} Outcome */
/** @typedef {Outcome & {seconds: number}} Stage */
/**
@typedef {{
	date: string,
	commit: string | null,
	quick: boolean,
	gpu: {name: string, totalBytes: number, driver: string | null},
	build: string | null,
	node: string,
	stages: Record<string, Stage>,
	limits?: Outcome['limits'],
	models: {model: string}[],
	launchers?: {launcher: string}[],
}} Results
*/

/** What a command prints, or null. @param {string} command @param {string[]} args */
function answer(command, args) {
	const {status, stdout} = spawnSync(command, args, {encoding: 'utf8', cwd: import.meta.dirname});
	return (status === 0 && stdout.trim().split('\n')[0]) || null;
}

/** With `-dirty` if it is not all there is. @returns {string | null} */
export const currentCommit = () => answer('git', ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*']);

/** @returns {string | null} */
export const driverVersion = () => answer('nvidia-smi', ['--query-gpu=driver_version', '--format=csv,noheader']);

/** One file for a GPU and a day. Stages of the same commit are added to those that it has, others take its place. */
export class ResultsFile {
	/** @readonly */
	path;
	/** @type {Results} */
	#results;

	/** @param {string} folder @param {Omit<Results, 'date' | 'stages' | 'models'>} facts */
	constructor(folder, facts) {
		const date = new Date().toISOString();
		const name = facts.gpu.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
		mkdirSync(folder, {recursive: true});
		this.path = join(folder, `${name}-${date.slice(0, 10)}.json`);
		/** @type {Results | undefined} */
		const before = existsSync(this.path) ? JSON.parse(readFileSync(this.path, 'utf8')) : undefined;
		const isSame = before?.commit === facts.commit && before.quick === facts.quick;
		const {stages = {}, limits, models = [], launchers} = isSame ? before : {};
		this.#results = {date, ...facts, stages, ...(limits && {limits}), models, ...(launchers && {launchers})};
	}

	/** Whether a stage has run before, and nothing of it failed. @param {string} name */
	has(name) {
		const stage = this.#results.stages[name];
		return stage !== undefined && stage.failed === 0 && stage.notRun === undefined;
	}

	/** @param {string} name @param {number} seconds @param {Outcome} outcome */
	add(name, seconds, {limits, models = [], launchers, ...outcome}) {
		const results = this.#results;
		results.stages[name] = {...outcome, seconds};
		if (limits) results.limits = limits;
		if (launchers) results.launchers = launchers;
		results.models = [...results.models.filter(({model}) => !models.some(other => other.model === model)), ...models];
		writeFileSync(this.path, `${JSON.stringify(results, null, '\t')}\n`);
	}
}
