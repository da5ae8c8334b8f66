// @ts-check

// The kernels of one build of the addon beside those of another: one that is to be shipped beside the one that was tuned.
// Bar: within 3 %.
//
//   node bench/builds.mjs TUNED.node SHIPPED.node [--pairs 20] [--threads 1] [--json]
//
// A pair is a run of both, one after the other, in turns of order; what is told is the median over the pairs of shipped
// to tuned time. Runs are steps of a random 130M EXL2 model (bench/rows.mjs) and attention over 2048 tokens
// (bench/attention.mjs), each in a process of its own.

import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {median, table} from './table.mjs';

const {values, positionals} = parseArgs({
	allowPositionals: true,
	options: {
		pairs: {type: 'string', default: '20'},
		threads: {type: 'string', default: '1'},
		json: {type: 'boolean'},
	},
});
const [tuned, shipped] = positionals.map(file => path.resolve(file));
if (!tuned || !shipped) throw new Error('node bench/builds.mjs TUNED.node SHIPPED.node; see the head of this file');
for (const file of [tuned, shipped]) if (!existsSync(file)) throw new Error(`there is no ${file}`);

const here = path.dirname(fileURLToPath(import.meta.url));
const home = mkdtempSync(path.join(tmpdir(), 'node-exllama-builds-'));
const model = path.join(home, 'model');

/** @param {string} script @param {string[]} args @param {string} [addon] */
function run(script, args, addon) {
	const env = {...process.env, ...(addon && {EXL_ADDON_PATH: addon})};
	return execFileSync(process.execPath, [path.join(here, script), ...args], {env, encoding: 'utf8'});
}

/** Least milliseconds by what was measured: what else the machine does only adds. @param {string} addon */
function measure(addon) {
	const rows = run(
		'rows.mjs',
		[model, '--rows', '1,4,16,64', '--repeat', '5', '--threads', values.threads, '--json'],
		addon,
	);
	const attention = run('attention.mjs', ['--tokens', '2048', '--repeat', '5', '--json'], addon);
	/** @type {Record<string, number>} */
	const times = {};
	for (const {name, rows: count, least} of JSON.parse(rows).results) times[`${name} ${count}`] = least;
	for (const {type, ms} of JSON.parse(attention)) times[`attention ${type}`] = ms;
	return times;
}

try {
	run('random-model.mjs', [model, '--shape', '130m']);
	/** @type {Record<string, number[]>} */
	const ratios = {};
	for (let pair = 0; pair < Number(values.pairs); pair++) {
		const order = pair % 2 ? [shipped, tuned] : [tuned, shipped];
		const times = Object.fromEntries(order.map(addon => [addon, measure(addon)]));
		for (const [what, ms] of Object.entries(times[shipped] ?? {}))
			ratios[what] = [...(ratios[what] ?? []), ms / (times[tuned]?.[what] ?? Number.NaN)];
	}

	const results = Object.entries(ratios).map(([what, all]) => ({
		what,
		ratio: median(all),
		least: Math.min(...all),
		most: Math.max(...all),
	}));
	if (values.json) console.log(JSON.stringify(results));
	else {
		const lines = results.map(({what, ratio, least, most}) => [what, ...[ratio, least, most].map(n => n.toFixed(3))]);
		console.log(table([['shipped to tuned time', 'median', 'least', 'most'], ...lines]));
	}
} finally {
	rmSync(home, {recursive: true, force: true});
}
