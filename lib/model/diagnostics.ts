import {type DeviceChoice, type DeviceMemory, ownedBytes, snapshot} from '../memory/index.js';
import {listBackends, listDevices} from './devices.js';
import type {GeneratorSnapshot} from './generator-view.js';
import {type SystemInfo, systemInfo} from './system.js';

/** What `loadModel()` did, apart from the files. */
export type LoadFacts = {
	readonly cacheTokens: number;
	/** Of the cache: `fp16`. */
	readonly cacheType: string;
	/** Jobs that run side by side at most. */
	readonly maxBatch: number;
	/** Of the CPU backend. */
	readonly threads: number;
	/** How the weights were read. */
	readonly loader: string;
	/** Why not as they should have been. */
	readonly loaderFallback?: string;
	/** Whether a smaller model guesses for it. */
	readonly draft: boolean;
	readonly loadMs: number;
};

/** What a report of a fault needs, as plain data. */
export type Diagnostics = {
	/** When this was taken, as ISO 8601. */
	readonly time: string;
	readonly system: SystemInfo;
	/** That runs the model: another than this one with `isolation: 'process'`. */
	readonly process: {readonly pid: number; readonly uptimeMs: number; readonly rss: number};
	readonly model: LoadFacts & {
		/** As the ledger's owners begin: `model#1`. */
		readonly name: string;
		readonly directory: string;
		readonly architecture: string;
		readonly contextTokens: number;
	};
	readonly device: {
		readonly id: string;
		readonly name: string;
		/** Why this one. */
		readonly why: string;
		/** The library it comes from, if that is one of its own. */
		readonly backend?: {readonly path: string; readonly build?: string};
	};
	readonly memory: {
		/** Of this model. */
		readonly bytes: number;
		/** Of everything on its device. */
		readonly device: DeviceMemory;
		readonly deviceTotalBytes: number;
		readonly deviceFreeBytes: number;
	};
	readonly generator: GeneratorSnapshot;
};

export type DiagnosedModel = Diagnostics['model'] & {
	readonly device: DeviceChoice;
	readonly generator: GeneratorSnapshot;
};

export function diagnose({device: {kind, why}, generator, ...model}: DiagnosedModel): Diagnostics {
	const info = listDevices().find(({id}) => id === kind);
	const backend = listBackends().find(each => each.kind !== undefined && kind.startsWith(`${each.kind}:`));
	const {path, build} = backend ?? {};
	const {devices, process: own} = snapshot();
	return {
		time: new Date().toISOString(),
		system: systemInfo(),
		process: {pid: process.pid, uptimeMs: Math.round(process.uptime() * 1000), rss: own.rss},
		model,
		device: {
			id: kind,
			name: info?.name ?? kind,
			why,
			...(path !== undefined && {backend: {path, ...(build !== undefined && {build})}}),
		},
		memory: {
			bytes: ownedBytes(model.name),
			device: devices[kind]!,
			deviceTotalBytes: info?.totalBytes ?? 0,
			deviceFreeBytes: info?.freeBytes ?? 0,
		},
		generator,
	};
}
