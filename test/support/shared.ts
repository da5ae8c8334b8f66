import {existsSync} from 'node:fs';
import path from 'node:path';

/** A folder of larger test data beside the repository, which a clone does not have; undefined where it is not there. */
export function sharedFolder(name: string): string | undefined {
	const folder = path.join(process.env['EXL_SHARED'] ?? path.join(__dirname, '../../../shared'), name);
	return existsSync(folder) ? folder : undefined;
}
