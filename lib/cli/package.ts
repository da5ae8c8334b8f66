import {readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';

/** The package this file is installed with. */
export const packageRoot: string = resolve(__dirname, '../..');

export function packageVersion(): string {
	return JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version;
}
