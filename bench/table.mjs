// @ts-check

/** Columns of equal width; the first to the left, the others to the right. @param {readonly (readonly string[])[]} rows */
export function table(rows) {
	const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map(row => (row[i] ?? '').length)));
	const pad = (/** @type {string} */ cell, /** @type {number} */ i) =>
		i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
	return rows.map(row => row.map(pad).join('  ').trimEnd()).join('\n');
}

/** @param {readonly number[]} values */
export function median(values) {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = (sorted.length - 1) / 2;
	return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}
