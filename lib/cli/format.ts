import {memory} from '../index.js';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `4.2 MiB` */
export function bytes(count: number): string {
	const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, count)) / 10));
	return `${(count / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** `1,234.5`: one digit where that is a visible part of the number. */
export function decimal(value: number): string {
	return value.toLocaleString('en-US', {maximumFractionDigits: value < 1000 ? 1 : 0});
}

/** Columns of equal width; all but the first to the right. */
export function columns(rows: readonly (readonly string[])[]): string {
	const widths = rows.reduce<number[]>((all, row) => row.map((cell, i) => Math.max(all[i] ?? 0, cell.length)), []);
	const line = (row: readonly string[]) =>
		row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
	return rows.map(row => line(row).trimEnd()).join('\n');
}

/** Names and what belongs to them. */
export function facts(rows: readonly (readonly [name: string, value: string])[]): string {
	const width = Math.max(...rows.map(([name]) => name.length));
	return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

/** What the devices and the process hold now. */
export function memoryLine(): string {
	const {devices, process} = memory.snapshot();
	const parts = Object.entries(devices)
		.filter(([, device]) => device.allocated > 0)
		.map(([name, {allocated, byKind}]) => {
			const kinds = Object.entries(byKind).filter(([, count]) => count > 0);
			return `${name} ${bytes(allocated)} (${kinds.map(([kind, count]) => `${kind} ${bytes(count)}`).join(', ')})`;
		});
	return `memory: ${[...parts, `process ${bytes(process.rss)}`].join('; ')}`;
}
