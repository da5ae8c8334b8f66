#!/usr/bin/env node
// @ts-check
'use strict';

// Stands in for node-gyp under prebuildify, which calls it as
//
//   rebuild --target=20.9.0 --devdir=... --arch=x64 --release [--runtime=electron]
//
// and then collects build/Release/*.node. EXL_CMAKE_DEFINES="A=1;B=2" is passed on to CMake.

const os = require('node:os');
const {spawnSync} = require('node:child_process');
const {parseArgs} = require('node:util');

const {values} = parseArgs({
	allowPositionals: true,
	strict: false,
	options: {target: {type: 'string'}, arch: {type: 'string'}, runtime: {type: 'string'}, debug: {type: 'boolean'}},
});

const cores = String(os.availableParallelism());
const args = [
	'rebuild',
	'--parallel',
	cores,
	'--config',
	values.debug ? 'Debug' : 'Release',
	`--CDNODE_EXECUTABLE=${process.execPath}`,
	// What is packed has to run on every GPU that is supported.
	'--CDEXL_CUDA_ARCHITECTURES=release',
];
if (values.arch) args.push('--arch', String(values.arch));
if (values.runtime) args.push('--runtime', String(values.runtime));
if (values.target) args.push('--runtime-version', String(values.target));
for (const define of (process.env.EXL_CMAKE_DEFINES ?? '').split(';').filter(Boolean)) args.push(`--CD${define}`);

const {status} = spawnSync(process.execPath, [require.resolve('cmake-js/bin/cmake-js'), ...args], {stdio: 'inherit'});
process.exitCode = status ?? 1;
