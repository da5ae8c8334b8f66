// @ts-check
'use strict';

// The one action of binding.gyp: what node-gyp runs (through @electron/rebuild, for one) is the same CMake build.
// CMake gets a folder of its own below build/, because node-gyp has its Makefile in build/ itself.

const fs = require('node:fs');
const path = require('node:path');
const {root, build, main} = require('./native-build.cjs');

main(() => {
	const addon = build({out: 'build/cmake'});
	const target = path.join(root, 'build', 'Release', path.basename(addon));
	fs.mkdirSync(path.dirname(target), {recursive: true});
	fs.copyFileSync(addon, target);
});
