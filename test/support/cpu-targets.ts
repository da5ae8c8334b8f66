import {addon} from '../../lib/native/index.js';
import {withEnvironment} from './environment.js';

/** The targets of the CPU backend this processor and build run. */
export const cpuTargets: readonly string[] = [
	'scalar',
	'avx2',
	'avxvnni',
	'avx512',
	'avx512vnni',
	'zen4',
	'neon',
].filter(runs);

function runs(target: string): boolean {
	return withEnvironment({EXL_CPU_TARGET: target}, () => {
		try {
			return addon().cpuTarget() === target;
		} catch {
			return false;
		}
	});
}
