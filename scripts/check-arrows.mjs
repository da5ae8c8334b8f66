// @ts-check

// Enforces who may import whom (docs/architecture.md, "Rooms"). A room is a folder of lib/ or native/, or a single file
// of the same name. Type-only imports count too: they are what a reader has to know.

import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';

const leaf = ['errors', 'options', 'log'];
const ops = ['program', 'memory', 'native', ...leaf];

/** What each room of lib/ may import, besides itself. @type {Record<string, readonly string[]>} */
const arrows = {
	errors: [],
	log: [],
	options: ['errors', 'log'],
	native: leaf,
	memory: ['native', ...leaf],
	weights: ['native', ...leaf],
	program: ['memory', 'native', 'weights', ...leaf],
	ops,
	models: ['ops', 'weights', ...ops],
	tokenizer: leaf,
	chat: leaf,
	sampling: leaf,
	cache: leaf,
	generator: ['cache', 'tokenizer', 'sampling', 'chat', ...leaf],
	model: ['generator', 'cache', 'tokenizer', 'sampling', 'chat', 'models', 'weights', 'ops', ...ops],
	isolate: ['model', 'generator', 'tokenizer', 'sampling', 'chat', 'models', 'weights', 'memory', 'native', ...leaf],
	eager: ['cache', 'models', 'weights', 'ops', ...ops],
	hub: ['weights', 'native', ...leaf],
	cli: ['index', 'hub'],
};
arrows.index = Object.keys(arrows).filter(room => room !== 'cli' && room !== 'hub');

/** What each room of native/ may include, besides itself. @type {Record<string, readonly string[]>} */
const nativeArrows = {
	base: [],
	ops: ['base'],
	memory: ['base'],
	sampling: ['base'],
	formats: ['base', 'memory'],
	core: ['base', 'ops', 'memory', 'sampling', 'formats'],
	reference: ['base', 'core', 'ops', 'formats', 'sampling'],
	cpu: ['base', 'core', 'ops', 'formats', 'memory', 'sampling'],
	library: ['base', 'core', 'ops', 'formats', 'memory', 'sampling'],
	// A library of its own: of core it knows the header it is spoken to by.
	cuda: ['base', 'library'],
};
nativeArrows.napi = Object.keys(nativeArrows).filter(room => room !== 'cuda');
nativeArrows.test = Object.keys(nativeArrows).filter(room => room !== 'napi');

/** Files outside native/napi that may catch, each with its reason. @type {Record<string, string>} */
const mayCatch = {
	'native/base/thread.cpp': 'what the standard library says of a thread that cannot be had becomes ours',
	'native/cpu/thread_pool.cpp': 'what a task throws waits until whoever shared out the tasks hears of it',
	'native/library/graphs.cpp': 'a recording that fails: the same launches are made without one',
	'native/library/weight.cpp': 'callbacks of a library: an exception waits on our side until the library has returned',
	'native/cuda/exports.cpp': 'the C functions of the library: an exception becomes a code and a message',
};

/** @typedef {{file: string, line: number, rule: string}} Offence */
/** @type {Offence[]} */
const offences = [];

/** @param {string} folder @param {readonly string[]} endings */
function sources(folder, endings) {
	return readdirSync(folder, {recursive: true, encoding: 'utf8'})
		.filter(file => endings.some(ending => file.endsWith(ending)))
		.map(file => path.join(folder, file).replaceAll(path.sep, '/'));
}

/** Blanks comments, keeping lines and columns. @param {string} text */
function withoutComments(text) {
	const tokens = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
	return text.replace(tokens, token => (token.startsWith('/') ? token.replace(/[^\n]/g, ' ') : token));
}

/** The second path segment, without an ending: lib/memory/ledger.ts and lib/memory.ts are both `memory`. @param {string} file */
function roomOf(file) {
	return (file.split('/')[1] ?? '').replace(/\.\w+$/, '');
}

/** @param {string} file @param {string} text @param {number} index @param {string} rule */
function offend(file, text, index, rule) {
	offences.push({file, line: text.slice(0, index).split('\n').length, rule});
}

/**
 * @param {string} file @param {string} text @param {number} index
 * @param {Record<string, readonly string[]>} table @param {string} target
 */
function checkArrow(file, text, index, table, target) {
	const room = roomOf(file);
	const allowed = table[room];
	if (!allowed) offend(file, text, 0, `room '${room}' is not in the table of scripts/check-arrows.mjs`);
	else if (target !== room && !allowed.includes(target))
		offend(file, text, index, `${room} may not import ${target} (only: ${allowed.join(', ') || 'nothing'})`);
}

/** @param {string} file */
function checkTypeScript(file) {
	const text = withoutComments(readFileSync(file, 'utf8'));
	for (const match of text.matchAll(
		/(?:\bfrom|\bimport|\brequire|\bimport\(|\brequire\()\s*\(?\s*['"](\.[^'"]*)['"]/g,
	)) {
		const target = path.posix.join(path.posix.dirname(file), match[1] ?? '');
		if (!target.startsWith('lib/')) offend(file, text, match.index, `imports ${match[1]}, which is outside lib/`);
		else checkArrow(file, text, match.index, arrows, roomOf(target));
	}
	if (roomOf(file) !== 'native')
		for (const match of text.matchAll(/\.node['"`]|\bprocess\.dlopen\b|['"]node-gyp-build['"]/g))
			offend(file, text, match.index, 'only lib/native may load a .node file');
}

/** @param {string} file */
function checkNative(file) {
	const text = withoutComments(readFileSync(file, 'utf8'));
	const room = roomOf(file);
	for (const match of text.matchAll(/^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]/gm)) {
		const header = match[2] ?? '';
		const first = header.split('/')[0] ?? '';
		if (match[1] === '"' && header.includes('/') && first in nativeArrows)
			checkArrow(file, text, match.index, nativeArrows, first);
		if (/^(?:napi|node_api|js_native_api)[\w-]*\.h$/.test(header) && room !== 'napi')
			offend(file, text, match.index, 'only native/napi may include Node-API headers');
		const isCuda = /^(?:cuda|cublas|curand|cooperative_groups|mma\.h|nvrtc)/.test(header) && first !== 'cuda';
		if (isCuda && room !== 'cuda' && room !== 'test')
			offend(file, text, match.index, 'only native/cuda may include CUDA headers');
	}
	if (room !== 'napi' && room !== 'test' && !(file in mayCatch))
		for (const match of text.matchAll(/\bcatch\s*\(/g))
			offend(file, text, match.index, 'only native/napi may catch (exceptions: mayCatch in scripts/check-arrows.mjs)');
}

for (const file of sources('lib', ['.ts'])) checkTypeScript(file);
for (const file of sources('native', ['.cpp', '.h', '.inl', '.cu', '.cuh'])) checkNative(file);

for (const {file, line, rule} of offences) console.error(`${file}:${line}: ${rule}`);
if (offences.length > 0) process.exitCode = 1;
else console.log('arrows: nothing points up');
