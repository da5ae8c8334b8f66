import {execFileSync, spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {writeRandomModel} from '../../bench/random-model.mjs';
import {modelsDirectory, temporaryDirectory} from '../support/directory.js';

// What the addon really takes from the system, seen from outside, against what its ledger says. interpose.c has the
// layout of the list that the child reads.

const child = `
	const {readFileSync} = require('node:fs');
	const {loadModel, memory, Tensor} = require(${JSON.stringify(join(modelsDirectory, '../dist/index.js'))});
	const [, directory, device] = process.argv;

	function taken() {
		const words = new BigUint64Array(readFileSync(process.env.EXL_INTERPOSE).buffer.slice(0));
		const [heap, heapPeak, mapped, lost] = [...words.subarray(0, 4)].map(Number);
		const blocks = [];
		for (let i = 4; i < words.length; i += 3)
			if (words[i] && words[i + 2]) blocks.push(Number(words[i + 1]));
		return {heap, heapPeak, mapped, lost, blocks: blocks.sort((a, b) => a - b)};
	}

	function recorded() {
		const page = bytes => Math.ceil(bytes / 4096) * 4096;
		const {reserved} = memory.snapshot().devices[device] ?? {reserved: 0};
		const blocks = memory.liveBuffers().map(({bytes}) => page(bytes)).filter(bytes => bytes > 0);
		return {reserved, blocks: blocks.sort((a, b) => a - b)};
	}

	(async () => {
		const moments = {};
		const look = name => {
			moments[name] = {taken: taken(), recorded: recorded()};
		};
		look('before');
		const model = await loadModel(directory, {device, threads: 2, cache: {tokens: 512}});
		look('loaded');
		const options = {temperature: 0, maxTokens: 8};
		await model.complete(Array.from({length: 300}, (_, i) => 3 + i), options);
		look('used');
		await model.dispose();
		look('disposed');
		const tensor = Tensor.zeros([2 ** 18]);
		await tensor.read();
		look('read');
		tensor.dispose();
		console.log(JSON.stringify(moments));
	})();
`;

type Moment = {
	readonly taken: {heap: number; heapPeak: number; mapped: number; lost: number; blocks: number[]};
	readonly recorded: {reserved: number; blocks: number[]};
};

async function watch(model: string, device: string): Promise<Record<string, Moment>> {
	const directory = await temporaryDirectory();
	const library = join(directory, 'interpose.so');
	execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, join(__dirname, 'interpose.c'), '-ldl', '-pthread']);
	const env = {...process.env, LD_PRELOAD: library, EXL_INTERPOSE: join(directory, 'list')};
	const {stdout, stderr, status} = spawnSync(process.execPath, ['-e', child, model, device], {env, encoding: 'utf8'});
	expect({stderr, status}).toEqual({stderr: '', status: 0});
	return JSON.parse(stdout) as Record<string, Moment>;
}

function whyNot(): string | undefined {
	if (process.platform !== 'linux') return 'the interposer is for Linux';
	if (process.env.EXL_SANITIZE) return 'a sanitizer interposes itself';
	return spawnSync('cc', ['--version']).status === 0 ? undefined : 'there is no C compiler';
}

const reason = whyNot();
describe.skipIf(reason)(`the ledger${reason ? ` (skipped: ${reason})` : ''}`, () => {
	it.each([
		['cpu', 'a large model'],
		['reference', 'a small model'],
	])('of %s has everything that is taken for %s', async (device, what) => {
		let model = join(modelsDirectory, 'tinystories-656k-exl2');
		if (what === 'a large model') {
			model = join(await temporaryDirectory(), 'random');
			await writeRandomModel(model, {shape: '130m'});
		}
		const moments = await watch(model, device);
		expect(moments['before']!.taken).toMatchObject({heap: 0, heapPeak: 0, mapped: 0});

		for (const name of ['loaded', 'used']) {
			const {taken, recorded} = moments[name]!;
			expect(recorded.reserved, name).toBeGreaterThan(what === 'a large model' ? 100e6 : 1e6);
			expect(taken.mapped, name).toBe(recorded.reserved);
			expect(taken.blocks, name).toEqual(recorded.blocks);
			expect(taken.heap, name).toBe(0);
			expect(taken.lost, name).toBe(0);
			// What is not on the ledger, while loading and running.
			expect(taken.heapPeak, name).toBeLessThan(2 ** 20);
		}

		const {taken, recorded} = moments['disposed']!;
		expect(taken).toMatchObject({heap: 0, mapped: 0, blocks: []});
		expect(recorded).toEqual({reserved: 0, blocks: []});
		// The copy of a tensor that is on its way to JavaScript shows that the heap is watched as well.
		expect(moments['read']!.taken.heapPeak).toBeGreaterThanOrEqual(2 ** 20);
	});
});
