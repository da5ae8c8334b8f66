import {existsSync} from 'node:fs';
import {join} from 'node:path';

const root = join(import.meta.dirname ?? __dirname, '..');

/** Says what to do once, where every test would otherwise fail with the same long error. */
export default function setup() {
	const addon = process.env.EXL_ADDON_PATH ?? join(root, 'build/Release/node-exllama.node');
	for (const built of [addon, join(root, 'dist/index.js')])
		if (!existsSync(built)) throw new Error(`${built} is not built. Run: npm run build`);
}
