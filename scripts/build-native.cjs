// @ts-check
'use strict';

// The door to the native build, and what `node-exllama build` runs:
//
//   node scripts/build-native.cjs [--out build] [--sanitize address,undefined] [--tests | --only-addon]
//
// The addon, and the CUDA library where there is a toolkit; with --tests the programs of native/test, too.

const {parseArgs} = require('node:util');
const {build, main} = require('./native-build.cjs');

main(() => {
	const {values} = parseArgs({
		options: {
			out: {type: 'string', default: 'build'},
			sanitize: {type: 'string', default: ''},
			tests: {type: 'boolean', default: false},
			'only-addon': {type: 'boolean', default: false},
		},
	});
	const {'only-addon': onlyAddon, ...options} = values;
	build({...options, onlyAddon});
});
