import {join} from 'node:path';
import {expect, test} from 'vitest';
import {loadModel} from '../../lib/model/index.js';
import type {DeviceName} from '../../lib/options/index.js';
import {names} from '../golden/golden.js';
import {cpuTargets} from '../support/cpu-targets.js';
import {Digest} from '../support/digest.js';
import {modelsDirectory} from '../support/directory.js';
import {emulatorLibrary} from '../support/emulator.js';
import {withEnvironment} from '../support/environment.js';
import {tinyModel, writeTinyModel} from '../support/tiny-model.js';
import {models, tokens} from './tiny-models.js';

type Backend = {
	readonly name: string;
	readonly device: DeviceName;
	readonly environment: Readonly<Record<string, string>>;
	/** Of each model, as it takes seconds a token. */
	readonly isSlow?: boolean;
};

const backends: readonly Backend[] = [
	{name: 'reference', device: 'reference', environment: {}},
	...cpuTargets.map(target => ({
		name: `cpu/${target}`,
		device: 'cpu' as const,
		environment: {EXL_CPU_TARGET: target},
	})),
	...(emulatorLibrary === undefined
		? []
		: [
				{
					name: 'emulator',
					device: 'emulator:0' as const,
					environment: {EXL_BACKEND_PATH: emulatorLibrary},
					isSlow: true,
				},
			]),
];

/** Logits of a prompt in one step and across pages, and what is written then, a token a step. */
async function results(directory: string, ids: readonly number[], {device, environment, isSlow = false}: Backend) {
	await using model = await withEnvironment(environment, () =>
		loadModel(directory, {device, threads: 2, cache: {tokens: 1024}}),
	);
	const logits = [];
	for (const length of isSlow ? [3, 20] : [1, 40, 300]) logits.push([...(await model.logits(ids.slice(0, length)))]);
	const greedy = {temperature: 0, maxTokens: isSlow ? 2 : 20};
	const drawn = {temperature: 1, seed: 5, maxTokens: isSlow ? 2 : 20};
	const texts = [];
	for (const options of [greedy, drawn]) texts.push((await model.complete(ids.slice(0, 7), options)).tokenIds);
	return {logits, texts};
}

const digest = new Digest('bits');
const ofRepository = new Digest('bits');

test.each(backends)(
	'every architecture and format gives on $name the bits it gave',
	async backend => {
		for (const [name, options] of Object.entries(models)) {
			const model = tinyModel(options);
			try {
				digest.add(backend.name, name, await results(await writeTinyModel(model), tokens(model, 300), backend));
			} catch (error) {
				// Not every device takes every shape of head.
				expect(error, name).toMatchObject({code: 'EXL_UNSUPPORTED_OP'});
				digest.add(backend.name, name, 'refused');
			}
		}
	},
	300_000,
);

test.each(backends)(
	'the models of the repository give on $name the bits they gave',
	async backend => {
		const ids = Array.from({length: 300}, (_, i) => 3 + ((i * 97) % 500));
		for (const name of names)
			ofRepository.add(backend.name, name, await results(join(modelsDirectory, name), ids, backend));
	},
	300_000,
);

test('and these are kept', context => {
	digest.check(context, 'tiny models', Object.keys(models).length);
	ofRepository.check(context, 'models of the repository', names.length);
});
