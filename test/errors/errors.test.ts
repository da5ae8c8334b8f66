import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, expect, it, vi} from 'vitest';
import {ExlError, errorCodes, isExlError} from '../../lib/errors/index.js';
import {addon} from '../../lib/native/index.js';
import {temporaryDirectory} from '../support/directory.js';

describe('the table of codes', () => {
	it('is that of the native side, in its order', () => {
		expect(addon().errorCodes()).toEqual(Object.keys(errorCodes));
	});

	it('has a sentence for each', () => {
		for (const [code, sentence] of Object.entries(errorCodes)) {
			expect(code).toMatch(/^EXL_[A-Z]+(_[A-Z]+)*$/);
			expect(sentence).toMatch(/^[A-Z].*\.$/);
		}
		expect(new Set(Object.values(errorCodes)).size).toBe(Object.keys(errorCodes).length);
	});

	it('is what docs/errors.md explains', () => {
		const text = readFileSync(join(__dirname, '../../docs/errors.md'), 'utf8');
		for (const code of Object.keys(errorCodes)) expect(text).toContain(code);
		for (const [code] of text.matchAll(/EXL_[A-Z]+(?:_[A-Z]+)*/g)) {
			if (!/^EXL_(?:LOG|DEVICE|THREADS|BACKEND_PATH|ADDON_PATH|CPU_TARGET)$/.test(code))
				expect(errorCodes).toHaveProperty(code);
		}
	});
});

describe('ExlError', () => {
	it('carries a code, a message, a place and a cause', () => {
		const cause = new Error('below');
		const error = new ExlError('EXL_FORMAT_INVALID', 'broken', {op: 'model.norm', cause});
		expect(error).toBeInstanceOf(Error);
		expect(error).toMatchObject({
			name: 'ExlError',
			code: 'EXL_FORMAT_INVALID',
			message: 'broken',
			op: 'model.norm',
			cause,
		});
		expect(String(error)).toBe('ExlError: broken');
		const plain = new ExlError('EXL_INTERNAL', 'plain');
		expect(plain).not.toHaveProperty('op');
		expect(plain).not.toHaveProperty('cause');
		// What is shown of it does not include how it is recognised.
		expect(Object.keys(error).sort()).toEqual(['code', 'name', 'op']);
	});

	it('is recognised whichever copy of the package made it', async () => {
		vi.resetModules();
		const copy = await import('../../lib/errors/index.js');
		expect(copy.ExlError).not.toBe(ExlError);
		const foreign = new copy.ExlError('EXL_INTERNAL', 'theirs');
		expect(foreign).not.toBeInstanceOf(ExlError);
		expect(isExlError(foreign)).toBe(true);
		expect(copy.isExlError(new ExlError('EXL_INTERNAL', 'ours'))).toBe(true);
	});

	it('is not mistaken for anything else', () => {
		for (const value of [undefined, null, 0, 'EXL_INTERNAL', {}, new Error('no'), {code: 'EXL_INTERNAL'}]) {
			expect(isExlError(value)).toBe(false);
		}
	});

	it('is what the native side throws', () => {
		const call = () => addon().openDevice('abacus', 0, '');
		expect(call).toThrow(ExlError);
		expect(call).toThrow(expect.objectContaining({code: 'EXL_DEVICE_UNAVAILABLE'}));
		expect(() => addon().drain(999_999)).toThrow(expect.objectContaining({code: 'EXL_DISPOSED'}));
	});
});

describe('an addon that cannot be loaded', () => {
	const root = join(__dirname, '../..');

	function failure(setUp: string, file?: string): string {
		const code = `
			${setUp}
			try {
				require('./dist/native/index.js').addon();
			} catch (error) {
				console.log(error.code, error.message, require('./dist/index.js').isExlError(error), error.cause instanceof Error);
			}
		`;
		const {EXL_ADDON_PATH: _, ...env} = process.env;
		const options = {cwd: root, encoding: 'utf8', env: file ? {...env, EXL_ADDON_PATH: file} : env} as const;
		return execFileSync(process.execPath, ['-e', code], options);
	}

	it.each([
		['is missing', undefined, 'No such file'],
		['is no library', 'this is no library', 'file too short|invalid ELF header|not a mach-o file'],
		['is JavaScript', 'module.exports = {initialize() {}}', 'file too short|invalid ELF header|not a mach-o file'],
	])('names the file and says why: it %s', async (_, content, why) => {
		const file = join(await temporaryDirectory(), 'addon.js');
		if (content !== undefined) await writeFile(file, content);
		const output = failure('', file);
		expect(output).toMatch(/^EXL_NATIVE_NOT_FOUND .* true true$/m);
		expect(output).toContain(
			`${file} cannot be loaded on ${process.platform}-${process.arch}, Node ${process.version}`,
		);
		expect(output).toMatch(new RegExp(`EXL_ADDON_PATH.*(?:${why}).* true true$`, 'm'));
	});

	it('says how to build it in a clone', () => {
		const output = failure(`
			const empty = {resolve() { throw new Error('No native build was found for x\\n    loaded from: y'); }};
			require.cache[require.resolve('node-gyp-build')] = {exports: empty, loaded: true};
		`);
		expect(output).toMatch(
			/^EXL_NATIVE_NOT_FOUND .*; build it: npm run build: No native build was found for x true true$/m,
		);
	});
});
