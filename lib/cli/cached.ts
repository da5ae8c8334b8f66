import {listCached, removeCached} from '../hub/index.js';
import type {CommonFlags} from './flags.js';
import {bytes, columns} from './format.js';
import type {Terminal} from './terminal.js';

export async function list(flags: CommonFlags, terminal: Terminal): Promise<void> {
	const models = await listCached();
	if (flags.json) return terminal.writeJson({models});
	const rows = models.flatMap(({name, revisions, partialBytes}) => [
		...revisions.map(({refs, commit, files, bytes: size}) => [
			`${name}@${refs.join(',') || commit}`,
			bytes(size),
			`${files} files`,
			commit.slice(0, 8),
		]),
		...(partialBytes > 0 ? [[`${name}, in part`, bytes(partialBytes), '', '']] : []),
	]);
	await terminal.write(rows.length > 0 ? `${columns(rows)}\n` : 'no models\n');
}

export type RemoveFlags = CommonFlags & {readonly all?: true};

export async function remove(name: string, flags: RemoveFlags, terminal: Terminal): Promise<void> {
	const removed = await removeCached(name, flags.all === true);
	if (flags.json) return terminal.writeJson(removed);
	const left = removed.left.length > 0 ? `; still there: ${removed.left.join(', ')}` : '';
	await terminal.write(`${bytes(removed.bytes)} given back${left}\n`);
}
