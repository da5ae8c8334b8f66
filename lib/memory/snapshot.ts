import {addon, type LedgerEntry, type LedgerTotals} from '../native/index.js';
import {Device} from './device.js';

export type DeviceMemory = LedgerTotals;

export type MemorySnapshot = {
	/** By device; a device nobody uses holds nothing. All numbers are bytes but `buffers`, a count. */
	readonly devices: Readonly<Record<string, DeviceMemory>>;
	readonly process: {
		/** Bytes of physical memory the whole process holds. */
		readonly rss: number;
	};
};

export type LiveBuffer = LedgerEntry & {readonly device: string};

const nothing: LedgerTotals = {
	allocated: 0,
	reserved: 0,
	peak: 0,
	byKind: {weights: 0, cache: 0, activations: 0, staging: 0},
	buffers: 0,
};

/** What every device of this thread holds, from the allocator's own ledger: exact, never an estimate. */
export function snapshot(): MemorySnapshot {
	const devices: Record<string, DeviceMemory> = {cpu: nothing};
	for (const {kind, id} of Device.all()) devices[kind] = addon().totals(id);
	return {devices, process: {rss: process.memoryUsage.rss()}};
}

/** Every live allocation of this thread, oldest first. */
export function liveBuffers(): LiveBuffer[] {
	return Device.all().flatMap(({kind, id}) =>
		addon()
			.buffers(id)
			.map(entry => ({...entry, device: kind})),
	);
}
