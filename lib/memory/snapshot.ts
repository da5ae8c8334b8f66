import {addon, type LedgerEntry, type LedgerTotals} from '../native/index.js';
import {Device} from './device.js';
import {stackOf} from './resource.js';

/** What the ledger of one device adds up to, in bytes. */
export type DeviceMemory = LedgerTotals;

/** Memory at one moment. */
export type MemorySnapshot = {
	/** By device; a device nobody uses holds nothing. All numbers are bytes but `buffers`, a count. */
	readonly devices: Readonly<Record<string, DeviceMemory>>;
	readonly process: {
		/** Bytes of physical memory the whole process holds. */
		readonly rss: number;
	};
};

/** One allocation that has not been freed. */
export type LiveBuffer = LedgerEntry & {
	readonly device: string;
	/** Where its owner was created, with `memory.trackStacks(true)`. */
	readonly stack?: string;
};

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
			.map(entry => {
				const stack = stackOf(entry.owner.split(' > ')[0]!);
				return {...entry, device: kind, ...(stack !== undefined && {stack})};
			}),
	);
}

/** Bytes on the ledger that belong to `owner`, whatever part of it. */
export function ownedBytes(owner: string): number {
	const mine = liveBuffers().filter(buffer => buffer.owner === owner || buffer.owner.startsWith(`${owner} > `));
	return mine.reduce((sum, buffer) => sum + buffer.bytes, 0);
}

/**
Gives memory that nothing uses back to the system; returns the bytes by which the process shrank. Buffers go back when
they are freed, so this is what the heap of the C library was keeping.
*/
export function trim(): number {
	const before = process.memoryUsage.rss();
	addon().trim();
	return Math.max(0, before - process.memoryUsage.rss());
}
