// @ts-check
'use strict';

// The developer's door to the native build:
//
//   node scripts/build-native.cjs [--out build] [--sanitize address,undefined] [--tests]

const {parseArgs} = require('node:util');
const {build, main} = require('./native-build.cjs');

main(() => {
	const {values} = parseArgs({
		options: {
			out: {type: 'string', default: 'build'},
			sanitize: {type: 'string', default: ''},
			tests: {type: 'boolean', default: false},
		},
	});
	build(values);
});
