import {expect, it} from 'vitest';
import {writeRandomModel} from '../../bench/random-model.mjs';
import {loadModel} from '../../lib/model/index.js';
import {describeOnDevice, isEmulated, isQuick} from '../support/device.js';
import {temporaryDirectory} from '../support/directory.js';
import {withEnvironment} from '../support/environment.js';
import {expectNothingHeld} from '../support/memory.js';

/** A step of a size runs launch by launch the first time, is recorded the second, and replayed from then on. */
const times = 4;

describeOnDevice('a step', device => {
	/** Logits of the same steps again and again, for a row and for some. */
	async function logits(directory: string, environment: Record<string, string>) {
		await using model = await withEnvironment(environment, () => loadModel(directory, {device, cache: {tokens: 512}}));
		const found: Record<number, number[][]> = {};
		for (const rows of [1, 7]) {
			const prompt = Array.from({length: rows}, (_, i) => 3 + 11 * i);
			found[rows] = [];
			for (let i = 0; i < times; i++) found[rows].push([...(await model.logits(prompt))]);
		}
		return found;
	}

	async function expectSameBits(directory: string) {
		const found = await logits(directory, {});
		const others = {
			'op by op': await logits(directory, {EXL_CUDA_GRAPHS: '0'}),
			'no launches overlap': await logits(directory, {EXL_CUDA_OVERLAP: '0'}),
		};
		for (const [rows, [eager, ...replayed]] of Object.entries(found)) {
			expect(eager!.every(Number.isFinite), `${rows} rows`).toBe(true);
			expect(new Set(eager).size).toBeGreaterThan(100);
			for (const again of replayed) expect(again, `${rows} rows, replayed`).toEqual(eager);
			for (const [how, other] of Object.entries(others))
				for (const step of other[Number(rows)]!) expect(step, `${rows} rows, ${how}`).toEqual(eager);
		}
	}

	it('has the same bits launch by launch, replayed, and without launches that overlap', async () => {
		const directory = await temporaryDirectory();
		await writeRandomModel(directory, {shape: isQuick || isEmulated ? '0.8m' : '1b'});
		await expectSameBits(directory);
	});

	// Layers of very different sizes are one kernel's: what the first asked for must do for the last.
	it.skipIf(isQuick || isEmulated)('has them with two layers of a 70B model in one graph', async () => {
		const directory = await temporaryDirectory();
		await writeRandomModel(directory, {shape: '70b-pair'});
		await expectSameBits(directory);
	});

	it('leaves nothing behind', expectNothingHeld);
});
