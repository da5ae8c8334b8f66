import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, it} from 'vitest';
import {type Bars, check, goldens, names, run} from '../golden/golden.js';
import {describeOnDevice, isQuick} from '../support/device.js';
import {modelsDirectory} from '../support/directory.js';
import {rootMeanSquare} from '../support/error.js';
import {errorOfHalves} from './halves.js';

/**
The size of an error over a thousand logits strays little from its expectation: three times as much is allowed. The
difference of two logits has sqrt(2) times the error of one, and six standard deviations none of a few hundred tokens
leaves: where the golden lead is less, the text may go on in another way. Of the likelihood, errors cancel over 511
tokens; the bar is the processor's.
*/
function barsOf(name: string): Bars {
	const {num_hidden_layers} = JSON.parse(readFileSync(join(modelsDirectory, name, 'config.json'), 'utf8'));
	const error = errorOfHalves(num_hidden_layers);
	const size = Math.max(...goldens.get(name)!.cases.map(({last_logits}) => rootMeanSquare(last_logits)));
	return {logits: 3 * error, margin: 6 * Math.SQRT2 * error * size, nll: 5e-3};
}

describeOnDevice('golden models', device => {
	it.each(isQuick ? names.slice(-1) : names)('%s', async name => {
		const outcome = await run(name, device, isQuick ? {cases: 1} : {});
		expect(check(name, outcome, barsOf(name))).toBeGreaterThan(10);
	});
});
