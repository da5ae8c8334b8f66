import {type ChildProcess, fork} from 'node:child_process';
import {join} from 'node:path';
import {packageRoot} from '../native/index.js';

/** Compiled, also where this file is not: tests run lib/ as it is. */
const entry = join(packageRoot, 'dist/isolate/child.js');

/** Two processes cannot listen on one port, and a debugger that waits would stop the load. */
const inspector = /--inspect(?:-(?:brk|wait|port|publish-uid))?(?:=\S*)?(?:\s+|$)/g;

/** Starts a process for a model. What goes wrong is told by its events. */
export function forkChild(): ChildProcess {
	const {NODE_OPTIONS, ...env} = process.env;
	const options = NODE_OPTIONS?.replace(inspector, '');
	return fork(entry, [], {
		env: options ? {...env, NODE_OPTIONS: options} : env,
		// The parent's flags are about the parent's own modules and heap.
		execArgv: [],
		// Keeps typed arrays, NaN and undefined.
		serialization: 'advanced',
		// Nothing is read or printed there. What a crash leaves on stderr must not be lost.
		stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
	});
}
