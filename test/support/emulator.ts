import {existsSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {packageRoot} from '../../lib/native/index.js';

const built = process.env.EXL_ADDON_PATH ?? join(packageRoot, 'build/Release/node-exllama.node');
const library = join(dirname(built), 'libexl_emulator.so');

/** The CUDA backend over a fake driver, for `EXL_BACKEND_PATH`; undefined where it is not built. */
export const emulatorLibrary: string | undefined = existsSync(library) ? library : undefined;
