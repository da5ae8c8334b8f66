// @ts-check

// Writes what of docs/ is generated: docs/api from the doc comments of what lib/index.ts exports, warnings being errors,
// and the table of docs/sampling.md from the schema of the options. npm run docs [-- --check]: with --check nothing is
// written, and what is out of date is an error.

import {execFileSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {samplingTable} from './sampling-table.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const {check} = parseArgs({options: {check: {type: 'boolean', default: false}}}).values;
/** @type {string[]} */
const outdated = [];

buildSampling();
buildApi();
if (outdated.length > 0) {
	console.error(`out of date, write with npm run docs: ${outdated.join(', ')}`);
	process.exitCode = 1;
}

function buildSampling() {
	const {generateSchema} = createRequire(import.meta.url)('../../dist/sampling/options.js');
	const page = readFileSync(path.join(root, 'docs/sampling.md'), 'utf8');
	const table = `\n\n${samplingTable(generateSchema)}\n\n`;
	put(
		'docs/sampling.md',
		page.replace(/(?<=<!-- options -->)[\s\S]*?(?=<!-- end -->)/, () => table),
	);
}

function buildApi() {
	const tools = path.join(root, 'tools/docs');
	const shell = process.platform === 'win32';
	execFileSync('npm', ['ci', '--silent', '--no-audit', '--no-fund'], {cwd: tools, stdio: 'inherit', shell});
	const folder = mkdtempSync(path.join(tmpdir(), 'node-exllama-api-'));
	try {
		const typedoc = path.join(tools, 'node_modules/typedoc/bin/typedoc');
		execFileSync(process.execPath, [typedoc, '--logLevel', 'Warn', '--out', folder], {cwd: tools, stdio: 'inherit'});
		for (const name of readdirSync(folder)) put(`docs/api/${name}`, readFileSync(path.join(folder, name), 'utf8'));
	} finally {
		rmSync(folder, {recursive: true});
	}
}

/** @param {string} file @param {string} text */
function put(file, text) {
	const target = path.join(root, file);
	if (!check) writeFileSync(target, text);
	else if (readFileSync(target, 'utf8') !== text) outdated.push(file);
}
