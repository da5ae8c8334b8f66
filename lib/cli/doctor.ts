import {existsSync, readdirSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {type BackendCandidate, type DeviceInfo, ExlError, listBackends, listDevices} from '../index.js';
import type {CommonFlags} from './flags.js';
import {bytes, facts} from './format.js';
import {packageRoot, packageVersion} from './package.js';
import type {Terminal} from './terminal.js';

type Place = {readonly path: string; readonly files: readonly string[]};

export async function doctor(flags: CommonFlags, terminal: Terminal): Promise<void> {
	const devices = listDevices();
	const report = {
		version: packageVersion(),
		node: process.version,
		platform: `${process.platform}-${process.arch}`,
		libc: libc(),
		// The library adds what it chose to the name of the processor.
		cpuTarget: /\((\w+)\)$/.exec(devices.find(({kind, usable}) => kind === 'cpu' && usable)?.name ?? '')?.[1] ?? null,
		devices,
		backends: listBackends(),
		lookedFor: nativePlaces(),
		environment: Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('EXL_'))),
	};
	if (flags.json) await terminal.writeJson(report);
	else await terminal.write(`${describe(report)}\n`);
	if (!devices.some(({usable}) => usable)) {
		throw new ExlError('EXL_DEVICE_UNAVAILABLE', `no device can be used: ${devices[0]?.reason ?? 'there is none'}`);
	}
}

/** Where the addon is looked for, in this order, and the builds that are there. */
function nativePlaces(): Place[] {
	const explicit = process.env['EXL_ADDON_PATH'];
	if (explicit) return [{path: resolve(explicit), files: existsSync(explicit) ? [resolve(explicit)] : []}];
	return [
		join(packageRoot, 'build', 'Release'),
		join(packageRoot, 'build', 'Debug'),
		join(packageRoot, 'prebuilds', `${process.platform}-${process.arch}`),
	].map(path => ({path, files: existsSync(path) ? readdirSync(path).filter(file => /\.node$/.test(file)) : []}));
}

function libc(): string | null {
	if (process.platform !== 'linux') return null;
	const {header} = process.report.getReport() as unknown as {header: {glibcVersionRuntime?: string}};
	return header.glibcVersionRuntime === undefined ? 'musl' : `glibc ${header.glibcVersionRuntime}`;
}

function describe(report: {
	readonly version: string;
	readonly node: string;
	readonly platform: string;
	readonly libc: string | null;
	readonly cpuTarget: string | null;
	readonly devices: readonly DeviceInfo[];
	readonly backends: readonly BackendCandidate[];
	readonly lookedFor: readonly Place[];
	readonly environment: Readonly<Record<string, string | undefined>>;
}): string {
	const {devices, backends, lookedFor, environment} = report;
	const state = ({usable, reason, name, freeBytes, totalBytes}: DeviceInfo) =>
		usable ? `${name}, ${bytes(freeBytes)} of ${bytes(totalBytes)} free` : `cannot be used: ${reason}`;
	const section = (title: string, rows: [string, string][]) =>
		`\n${title}\n${rows.length > 0 ? facts(rows.map(([name, value]) => [`  ${name}`, value] as const)) : '  none'}`;
	return [
		facts([
			['node-exllama', report.version],
			['node', report.node],
			['platform', [report.platform, report.libc].filter(Boolean).join(', ')],
			['CPU kernels', report.cpuTarget ?? 'none'],
		]),
		section(
			'devices',
			devices.map(device => [device.id, state(device)]),
		),
		section(
			'backends in libraries of their own',
			backends.map(({path, build, reason}) => [path, [build, reason].filter(Boolean).join(': ')]),
		),
		section(
			'native builds, in the order they are looked for',
			lookedFor.map(({path, files}) => [path, files.join(', ') || 'nothing']),
		),
		section(
			'environment',
			Object.entries(environment).map(([name, value]) => [name, value ?? '']),
		),
	].join('\n');
}
