import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {onTestFinished} from 'vitest';

/** The models that come with the repository. */
export const modelsDirectory = join(__dirname, '../../models');

/** An empty directory that lives as long as the running test. */
export async function temporaryDirectory(): Promise<string> {
	const directory = await mkdtemp(join(tmpdir(), 'node-exllama-'));
	onTestFinished(() => rm(directory, {recursive: true, force: true}));
	return directory;
}
