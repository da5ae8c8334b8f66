import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {transformWithEsbuild} from 'vite';
import {root} from './release.js';

const bundled = 'models/tinystories-656k-exl2';

/**
 * The lines of code that the README shows first, as an ES module or CommonJS, over the model in the package: what a user
 * runs first. `after` is run at its end.
 */
export async function readmeLines(format: 'esm' | 'cjs' = 'esm', after = ''): Promise<string> {
	const readme = readFileSync(join(root, 'README.md'), 'utf8');
	const block = /```(?:js|ts|typescript)\n([^`]*loadModel\([^`]*)```/.exec(readme)?.[1];
	if (!block) throw new Error('README.md shows no code with loadModel()');
	const lines = `${block.replace(/loadModel\('[^']*'/, 'loadModel(modelPath')}\n${after}`;
	const {code} = await transformWithEsbuild(lines, 'lines.ts', {target: 'es2022', format: 'esm', sourcemap: false});
	if (format === 'esm')
		return `import {createRequire} from 'node:module';\nimport fs from 'node:fs';\nimport os from 'node:os';\nimport path from 'node:path';\n${modelPath('createRequire(import.meta.url)')}\n${code}`;
	const required = code.replace(/import \{([^}]*)\} from "([^"]*)";/g, 'const {$1} = require("$2");');
	return `(async () => {\nconst fs = require('node:fs'), os = require('node:os'), path = require('node:path');\n${modelPath('require')}\n${required}\n})();`;
}

/** The bundled model with a template, which it has not, in a folder of its own. */
function modelPath(require: string): string {
	return `
		const packed = path.join(path.dirname(${require}.resolve('node-exllama/package.json')), '${bundled}');
		const modelPath = fs.mkdtempSync(path.join(os.tmpdir(), 'node-exllama-lines-'));
		process.once('exit', () => fs.rmSync(modelPath, {recursive: true, force: true}));
		for (const file of fs.readdirSync(packed)) fs.copyFileSync(path.join(packed, file), path.join(modelPath, file));
		fs.writeFileSync(path.join(modelPath, 'chat_template.jinja'), 'Once upon a time');
	`;
}
