import {type LiveBuffer, liveBuffers, type MemorySnapshot, snapshot} from './snapshot.js';

/** `snapshot()` and `liveBuffers()` for a person: one line per owner and kind, sums at the end. */
export function table(): string {
	return formatTable(snapshot(), liveBuffers());
}

export function formatTable({devices, process}: MemorySnapshot, buffers: readonly LiveBuffer[]): string {
	const rows: string[][] = [];
	for (const group of groups(buffers)) {
		const [{device, owner, kind}] = group as [LiveBuffer];
		const bytes = group.reduce((sum, b) => sum + b.bytes, 0);
		rows.push([device, owner, kind, String(group.length), formatBytes(bytes)]);
	}
	for (const [device, {allocated, buffers: count}] of Object.entries(devices))
		rows.push([device, 'total', '', String(count), formatBytes(allocated)]);
	rows.push(['process', 'resident', '', '', formatBytes(process.rss)]);
	return align([['device', 'owner', 'kind', 'buffers', 'bytes'], ...rows]);
}

/** Buffers of one device, owner and kind. */
function groups(buffers: readonly LiveBuffer[]): Iterable<LiveBuffer[]> {
	const found = new Map<string, LiveBuffer[]>();
	for (const buffer of buffers) {
		const key = [buffer.device, buffer.owner, buffer.kind].join('\0');
		const group = found.get(key);
		if (group) group.push(buffer);
		else found.set(key, [buffer]);
	}
	return found.values();
}

/** `927,816` */
export function formatBytes(bytes: number): string {
	return bytes.toLocaleString('en-US');
}

/** Columns of equal width; the last two, numbers, to the right. */
function align(rows: readonly string[][]): string {
	const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => row[i]!.length)));
	const cell = (text: string, i: number) => (i < 3 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!));
	return rows.map(row => row.map(cell).join('  ').trimEnd()).join('\n');
}
