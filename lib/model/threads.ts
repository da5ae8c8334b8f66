import {readFileSync} from 'node:fs';
import {availableParallelism} from 'node:os';

/** Physical cores this process may use: two threads of one core share its vector units. */
export function physicalCores(): number {
	const logical = availableParallelism();
	const siblings = new Set<string>();
	for (let cpu = 0; cpu < logical; cpu++) {
		const list = readSiblings(cpu);
		if (list === undefined) return logical;
		siblings.add(list);
	}
	return siblings.size;
}

/** `0,4`: the logical processors of one core. Linux only. */
function readSiblings(cpu: number): string | undefined {
	try {
		return readFileSync(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, 'utf8').trim();
	} catch {
		return undefined;
	}
}
