import {describe} from 'vitest';
import type {DeviceName} from '../../lib/options/index.js';

/** What `npm run test:gpu` tests: `cuda` or, as a rehearsal, `emulator`. Undefined in `npm test`. */
export const testDevice = process.env.EXL_TEST_DEVICE as DeviceName | undefined;

/** Whether a few cases have to do: in a rehearsal, and under a sanitizer that makes each a hundred times slower. */
export const isQuick = process.env.EXL_TEST_QUICK !== undefined;

export const isEmulated = testDevice?.startsWith('emulator') ?? false;

/** Describes what `testDevice` does; without one it is skipped, and its name says so. */
export function describeOnDevice(name: string, tests: (device: DeviceName) => void): void {
	if (testDevice === undefined) describe.skip(`${name} (EXL_TEST_DEVICE names no device)`, () => tests('cpu'));
	else describe(`${name} on ${testDevice}`, () => tests(testDevice));
}
