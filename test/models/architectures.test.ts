import {describe, expect, it} from 'vitest';
import {liveBuffers} from '../../lib/memory/index.js';
import {loadModel} from '../../lib/model/index.js';
import {addon} from '../../lib/native/index.js';
import {relativeError} from '../support/error.js';
import {tinyModel, writeTinyModel} from '../support/tiny-model.js';
import {lockstep} from './lockstep.js';
import {naiveLogits} from './naive.js';
import {models, tokens} from './tiny-models.js';

const everyOp = addon()
	.opTable()
	.map(({name}) => name)
	.sort();

describe.each(Object.entries(models))('%s', (_, options) => {
	const model = tinyModel(options);

	it('is on the reference what its definition says', async () => {
		const ids = tokens(model, 120);
		const expected = naiveLogits(model, ids);
		await using loaded = await loadModel(await writeTinyModel(model), {device: 'reference', cache: {tokens: 256}});
		for (const length of [1, 40, ids.length]) {
			const logits = await loaded.logits(ids.slice(0, length));
			expect(relativeError(logits, expected[length - 1]!), `after ${length} tokens`).toBeLessThan(1e-9);
		}
	});

	it('is on the processor, op by op, what it is on the reference', async () => {
		const ids = tokens(model, 300);
		const {calls} = await lockstep(model, {ids, steps: [100, 153, 1, 1, 1, 1, 40, 1, 1, 1]});
		const otherNorm = options.architecture === 'StableLmForCausalLM' ? 'rms_norm' : 'layer_norm';
		expect([...calls.keys(), 'sample', otherNorm].sort()).toEqual(everyOp);
		expect(liveBuffers()).toEqual([]);
	});
});

it('draws the same tokens on both', async () => {
	const model = tinyModel({vocabulary: 300});
	const {calls} = await lockstep(model, {
		ids: tokens(model, 40),
		steps: [31, 1, 1, 1, 1, 1, 1, 1, 1, 1],
		purpose: 'sample',
	});
	expect(calls.get('sample')).toBe(10);
});

it('names the first op that differs', async () => {
	const model = tinyModel();
	const path = 'model.layers.1.mlp.up_proj';
	const {inFeatures, outFeatures, values} = model.matrices.get(path)!;
	// A weight of zeros would have no sum to lose anything in, so next to no error is tolerated there.
	const matrices = new Map(model.matrices).set(path, {inFeatures, outFeatures, values: values.map(() => 0)});
	const run = lockstep({...model, matrices}, {ids: tokens(model, 20), steps: [20]});
	await expect(run).rejects.toThrow(/^op \d+, linear model\.layers\.1\.mlp\.up_proj .*: element \d+: cpu /);
});
