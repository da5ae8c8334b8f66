import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {writeRandomModel} from '../../bench/random-model.mjs';
import {endings, isEmulated, limit, Pairs, phases, tell} from './matrix.mjs';

type Outcome = Awaited<ReturnType<typeof tell>>;

const told = new Map<string, Promise<Outcome>>();
const outcome = (phase: string, ending: string) => told.get(`${phase} ${ending}`)!;

let directory: string;
beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), 'node-exllama-lifecycle-'));
	await writeRandomModel(directory, {shape: isEmulated ? '0.8m' : '130m'});
	const pairs = new Pairs<Outcome>();
	for (const ending of endings) {
		for (const phase of ['bare', ...phases]) {
			const story = pairs.add(() => tell(phase, ending, directory));
			story.catch(() => {});
			told.set(`${phase} ${ending}`, story);
		}
	}
});
afterAll(async () => {
	await Promise.allSettled(told.values());
	await rm(directory, {recursive: true, force: true});
});

describe('Node itself', () => {
	const error = expect.stringContaining('Error: the story ends');
	const expectations: readonly (readonly [string, object])[] = [
		['end', {code: 0, signal: null, stderr: ''}],
		['exit-0', {code: 0, signal: null, stderr: ''}],
		['exit-3', {code: 3, signal: null, stderr: ''}],
		['sigint', {code: null, signal: 'SIGINT', stderr: ''}],
		['sigterm', {code: null, signal: 'SIGTERM', stderr: ''}],
		['throw', {code: 1, signal: null, stderr: error}],
		['reject', {code: 1, signal: null, stderr: error}],
		['worker-end', {code: 20, signal: null, stderr: ''}],
		['worker-exit', {code: 25, signal: null, stderr: ''}],
		['worker-throw', {code: 21, signal: null, stderr: 'the story ends\n'}],
		['worker-terminate', {code: 21, signal: null, stderr: ''}],
		['main-exit', {code: 6, signal: null, stderr: ''}],
	];
	const asked = expectations.filter(([ending]) => endings.includes(ending));
	it.each(asked)('ends %s as the stories below expect', async (ending, expected) => {
		expect(await outcome('bare', ending)).toMatchObject(expected);
	});
});

describe.each(endings)('%s', ending => {
	it.each(phases)('while %s', async phase => {
		const {milliseconds, ...rest} = await outcome(phase, ending);
		const {milliseconds: _, ...expected} = await outcome('bare', ending);
		expect(rest).toEqual(expected);
		expect(milliseconds).toBeLessThan(limit(ending));
	});
});
