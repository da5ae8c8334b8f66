// @ts-check

// clang-format over everything in native/, CUDA sources included. Without --write it only checks.

import {spawnSync} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {clangFormatPath} from 'clang-format-node';

const endings = ['.cpp', '.h', '.inl', '.cu', '.cuh'];
const files = readdirSync('native', {recursive: true, encoding: 'utf8'})
	.filter(file => endings.some(ending => file.endsWith(ending)))
	.map(file => join('native', file));

if (files.length > 0) {
	const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '--Werror'];
	const {status, error} = spawnSync(clangFormatPath, [...mode, ...files], {stdio: 'inherit'});
	if (error) console.error(`clang-format could not be run: ${error.message}`);
	else if (status !== 0) console.error('Run: npm run format');
	process.exitCode = status ?? 1;
}
