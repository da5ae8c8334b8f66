// @ts-check

// Packs a release: the main package and one for each binary in prebuilds/.
//
//   npm run pack:all [-- --out build-release]

import {existsSync, rmSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {platforms, prebuildName} from './platforms.mjs';
import {cudaLibrary, pack, stageCuda, stageMain, stagePlatform} from './stage.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const {values} = parseArgs({options: {out: {type: 'string', default: 'build-release'}}});
const out = path.resolve(root, values.out);
const prebuilt = (/** @type {string} */ name) => path.join(root, 'prebuilds', name);

rmSync(out, {recursive: true, force: true});
const folders = [await stageMain(path.join(out, 'node-exllama'))];
for (const platform of platforms) {
	const addon = prebuilt(prebuildName(platform));
	if (existsSync(addon)) folders.push(stagePlatform(platform, addon, path.join(out, platform.name)));
	else console.error(`${platform.name} is left out: it is not in prebuilds/`);
}
if (existsSync(prebuilt(cudaLibrary))) folders.push(stageCuda(prebuilt(cudaLibrary), path.join(out, 'cuda-linux-x64')));

const mebibytes = (/** @type {number} */ bytes) => `${(bytes / 2 ** 20).toFixed(2)} MiB`.padStart(10);
for (const folder of folders) {
	const {filename, size, unpackedSize} = await pack(folder, out);
	console.log(`${mebibytes(size)} packed ${mebibytes(unpackedSize)} unpacked  ${filename}`);
}
