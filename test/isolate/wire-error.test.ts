import {deserialize, serialize} from 'node:v8';
import {expect, it} from 'vitest';
import {ExlError, isExlError} from '../../lib/errors/index.js';
import {decodeError, encodeError} from '../../lib/isolate/wire-error.js';

const sent = (error: unknown) => decodeError(deserialize(serialize(encodeError(error))));

it('keeps what an ExlError says, and its causes', () => {
	const bottom = Object.assign(new TypeError('bottom'), {code: 'ENOENT', context: () => {}});
	const error = new ExlError('EXL_FORMAT_INVALID', 'top', {
		op: 'model.norm',
		cause: new ExlError('EXL_INTERNAL', 'middle', {cause: bottom}),
	});
	const copy = sent(error) as ExlError;
	expect(isExlError(copy)).toBe(true);
	expect(copy).toMatchObject({name: 'ExlError', code: 'EXL_FORMAT_INVALID', message: 'top', op: 'model.norm'});
	expect(copy.stack).toBe(error.stack);
	const middle = copy.cause as ExlError;
	expect(middle).toMatchObject({code: 'EXL_INTERNAL', message: 'middle'});
	expect(middle).not.toHaveProperty('op');
	expect(middle.cause).toMatchObject({name: 'TypeError', message: 'bottom', code: 'ENOENT'});
	expect(middle.cause).toBeInstanceOf(Error);
	expect(Object.keys(copy).sort()).toEqual(['code', 'name', 'op']);
});

it('takes whatever is thrown', () => {
	for (const value of [undefined, null, 7, 'text', Number.NaN, 7n]) expect(sent(value)).toBe(value);
	expect(sent(Symbol('mine'))).toBe('Symbol(mine)');
	expect(sent({})).toBe('[object Object]');
	const ring = new Error('ring');
	ring.cause = ring;
	expect(sent(ring)).toMatchObject({message: 'ring', cause: {message: 'ring'}});
});
