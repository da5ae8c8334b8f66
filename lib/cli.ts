#!/usr/bin/env node
import {run} from './cli/run.js';
import {Terminal} from './cli/terminal.js';

// The only file that ends the process: everywhere else a command returns or throws, so that what it holds is given back.
const terminal = new Terminal(code => process.exit(code));
run(process.argv, terminal).then(code => {
	process.exitCode = code;
});
