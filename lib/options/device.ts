import * as v from 'valibot';
import {named} from './schemas.js';

/**
`cuda` is the first CUDA device that can be used; `reference` is the slow double-precision oracle; `emulator` runs the
CUDA backend on the CPU, in tests.
*/
export type DeviceName = 'auto' | 'cpu' | 'reference' | Accelerator | `${Accelerator}:${number}`;
type Accelerator = 'cuda' | 'emulator';

const isDevice = (value: unknown) =>
	typeof value === 'string' && /^(?:auto|cpu|reference|(?:cuda|emulator)(?::(?:0|[1-9]\d{0,2}))?)$/.test(value);

export const deviceName: v.GenericSchema<DeviceName> = named(
	v.custom<DeviceName>(isDevice, "'auto', 'cpu', 'reference', 'cuda' or 'cuda:N'"),
	['auto', 'cpu', 'reference', 'cuda'],
);
