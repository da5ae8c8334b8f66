import {existsSync, readdirSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {listCached} from '../hub/index.js';
import {
	type BackendCandidate,
	type DeviceInfo,
	ExlError,
	listBackends,
	listDevices,
	memory,
	type SystemInfo,
	systemInfo,
} from '../index.js';
import type {CommonFlags} from './flags.js';
import {bytes, facts} from './format.js';
import {packageRoot} from './package.js';
import type {Terminal} from './terminal.js';

type Place = {readonly path: string; readonly files: readonly string[]};

type Report = SystemInfo & {
	readonly devices: readonly DeviceInfo[];
	/** What `device: 'auto'` takes, and why. */
	readonly auto: {readonly device: string | null; readonly why: string};
	readonly backends: readonly BackendCandidate[];
	readonly lookedFor: readonly Place[];
	readonly memory: {readonly rss: number; readonly totalBytes: number; readonly freeBytes: number};
	readonly cache: {readonly models: number; readonly bytes: number};
};

export async function doctor(flags: CommonFlags, terminal: Terminal): Promise<void> {
	const devices = listDevices();
	const models = await listCached();
	const {totalBytes = 0, freeBytes = 0} = devices.find(({kind}) => kind === 'cpu') ?? {};
	const report: Report = {
		...systemInfo(),
		devices,
		auto: choice(devices),
		backends: listBackends(),
		lookedFor: nativePlaces(),
		memory: {rss: memory.snapshot().process.rss, totalBytes, freeBytes},
		cache: {models: models.length, bytes: models.reduce((sum, model) => sum + model.bytes, 0)},
	};
	if (flags.json) await terminal.writeJson(report);
	else await terminal.write(`${describe(report)}\n`);
	if (!devices.some(({usable}) => usable)) {
		throw new ExlError('EXL_DEVICE_UNAVAILABLE', `no device can be used: ${devices[0]?.reason ?? 'there is none'}`);
	}
}

function choice(devices: readonly DeviceInfo[]): Report['auto'] {
	const gpus = devices.filter(({kind}) => kind === 'cuda');
	const gpu = gpus.find(({usable}) => usable);
	if (gpu) return {device: gpu.id, why: 'it is the first GPU that can be used'};
	const why = gpus[0]?.reason ?? 'there is no GPU';
	return {device: devices.some(({id, usable}) => id === 'cpu' && usable) ? 'cpu' : null, why};
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

function describe(report: Report): string {
	const {devices, auto, backends, lookedFor, environment, cache} = report;
	const state = ({usable, reason, name, freeBytes, totalBytes}: DeviceInfo) =>
		usable ? `${name}, ${bytes(freeBytes)} of ${bytes(totalBytes)} free` : `cannot be used: ${reason}`;
	const section = (title: string, rows: [string, string][]) =>
		`\n${title}\n${rows.length > 0 ? facts(rows.map(([name, value]) => [`  ${name}`, value] as const)) : '  none'}`;
	return [
		facts([
			['node-exllama', report.version],
			['runtime', report.runtime],
			['platform', [report.platform, report.libc, report.release].filter(Boolean).join(', ')],
			['native build', report.addon ?? 'none'],
			['CPU kernels', report.cpuTarget ?? 'none'],
			['processors', String(report.processors)],
			['memory', `${bytes(report.memory.freeBytes)} of ${bytes(report.memory.totalBytes)} free`],
			['model cache', `${cache.models} models, ${bytes(cache.bytes)}`],
			["device 'auto'", `${auto.device ?? 'none'}: ${auto.why}`],
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
		section('environment', Object.entries(environment)),
	].join('\n');
}
