import {snapshot} from './snapshot.js';

type Sample = {readonly labels: Readonly<Record<string, string>>; readonly value: number};

/** The snapshot in the text format of Prometheus, for a server to expose as text/plain; version=0.0.4. */
export function metrics(): string {
	const {devices, process} = snapshot();
	const each = Object.entries(devices);
	const perDevice = (value: (device: (typeof each)[number][1]) => number): Sample[] =>
		each.map(([device, totals]) => ({labels: {device}, value: value(totals)}));
	const byKind = each.flatMap(([device, totals]) =>
		Object.entries(totals.byKind).map(([kind, value]) => ({labels: {device, kind}, value})),
	);
	return [
		gauge('memory_allocated_bytes', 'Bytes of live buffers, by kind.', byKind),
		gauge(
			'memory_reserved_bytes',
			'Bytes taken from the system for them.',
			perDevice(d => d.reserved),
		),
		gauge(
			'memory_peak_bytes',
			'Most bytes ever allocated at once.',
			perDevice(d => d.peak),
		),
		gauge(
			'memory_buffers',
			'Live buffers.',
			perDevice(d => d.buffers),
		),
		gauge('process_resident_bytes', 'Physical memory of the whole process.', [{labels: {}, value: process.rss}]),
	].join('');
}

function gauge(name: string, help: string, samples: readonly Sample[]): string {
	const full = `node_exllama_${name}`;
	const lines = samples.map(({labels, value}) => {
		const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
		return `${full}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`;
	});
	return [`# HELP ${full} ${help}`, `# TYPE ${full} gauge`, ...lines, ''].join('\n');
}
