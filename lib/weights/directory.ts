import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {ExlError} from '../errors/index.js';
import {unreadable} from '../options/file-error.js';
import {describe, isObject, readJsonObject} from './json.js';
import {directoryWithoutWeights} from './near-miss.js';
import {readHeader, type SafetensorsHeader, type TensorEntry} from './safetensors.js';
import {WeightFiles} from './weight-files.js';

const indexFile = 'model.safetensors.index.json';

/**
Opens the weights of a model directory: the tensors `model.safetensors.index.json` lists, or without one the tensors of
every `*.safetensors` file. Only headers are read.

@throws {ExlError} `EXL_MODEL_NOT_FOUND` if the directory or a file of it is missing, `EXL_FORMAT_UNSUPPORTED` if its weights are
of another format, `EXL_FORMAT_INVALID` if a file breaks its format's rules.
*/
export async function openWeights(directory: string): Promise<WeightFiles> {
	const names = await listFiles(directory);
	const present = names.filter(name => name.endsWith('.safetensors') && !name.startsWith('.'));

	const index = names.includes(indexFile) ? await readIndex(join(directory, indexFile)) : undefined;
	const shards = [...new Set(index?.values())].sort();

	// ExLlamaV2's converter copies the index of the model it started from beside its own files.
	const stale = present.length > 0 && !shards.some(shard => present.includes(shard));
	if (index !== undefined && !stale) return openShards(directory, index, shards);

	if (present.length === 0) throw directoryWithoutWeights(directory, names);
	return openAll(directory, present);
}

async function listFiles(directory: string): Promise<string[]> {
	try {
		return (await readdir(directory)).sort();
	} catch (error) {
		throw unreadable(directory, error);
	}
}

/** Shard of each tensor. */
async function readIndex(file: string): Promise<Map<string, string>> {
	const {weight_map: map} = await readJsonObject(file);
	if (!isObject(map) || Object.keys(map).length === 0) {
		throw new ExlError('EXL_FORMAT_INVALID', `${file}: weight_map is ${describe(map)}, expected tensor names`);
	}
	for (const [name, shard] of Object.entries(map)) {
		if (typeof shard !== 'string' || !/^[^/\\]+\.safetensors$/.test(shard)) {
			const message = `${file} puts ${describe(name)} into ${describe(shard)}, expected a .safetensors file beside it`;
			throw new ExlError('EXL_FORMAT_INVALID', message, {op: name});
		}
	}
	return new Map(Object.entries(map as Record<string, string>));
}

async function openShards(directory: string, index: Map<string, string>, shards: string[]): Promise<WeightFiles> {
	const list = await Promise.all(shards.map(shard => readHeader(join(directory, shard))));
	const headers = new Map(shards.map((shard, i) => [shard, list[i]]));

	const entries = new Map<string, TensorEntry>();
	for (const [name, shard] of index) {
		const entry = headers.get(shard)?.tensors.get(name);
		if (entry === undefined) {
			const message = `${join(directory, shard)} has no tensor ${describe(name)}, but ${indexFile} lists it there`;
			throw new ExlError('EXL_FORMAT_INVALID', message, {op: name});
		}
		entries.set(name, entry);
	}
	return new WeightFiles(addAliases(entries, list));
}

/** Where two files have a tensor of one name, the later file's is taken, as ExLlamaV2 does. */
async function openAll(directory: string, names: string[]): Promise<WeightFiles> {
	const list = await Promise.all(names.map(name => readHeader(join(directory, name))));
	const entries = new Map(list.flatMap(({tensors}) => [...tensors]));
	return new WeightFiles(addAliases(entries, list));
}

/** The safetensors library stores tied tensors once and notes the name it dropped: `{dropped: kept}`. */
function addAliases(entries: Map<string, TensorEntry>, headers: SafetensorsHeader[]): Map<string, TensorEntry> {
	const named = new Map(entries);
	for (const [dropped, kept] of headers.flatMap(({metadata}) => [...metadata])) {
		const entry = entries.get(kept);
		if (entry !== undefined && !entries.has(dropped)) named.set(dropped, entry);
	}
	return named;
}
