import {readFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import {Tokenizer} from '../../lib/tokenizer/tokenizer.js';

// Its licence does not let the repository contain it, and it has 17 MB. The directory holds tokenizer.json, and
// vectors.inp and vectors.out as in llama.cpp's models/ggml-vocab-llama-bpe.gguf.{inp,out}.
const directory = process.env['EXL_TEST_LLAMA3_TOKENIZER'];

test('Llama 3 encodes the vectors of llama.cpp, and decodes them back', {timeout: 120_000}, async ({skip}) => {
	if (!directory) return skip('EXL_TEST_LLAMA3_TOKENIZER does not name a directory with the Llama 3 tokenizer');

	const tokenizer = await Tokenizer.load(directory);
	const texts = readFileSync(path.join(directory, 'vectors.inp'), 'utf8').split('\n__ggml_vocab_test__\n');
	const lines = readFileSync(path.join(directory, 'vectors.out'), 'utf8').split('\n');
	expect(texts.length).toBe(47);
	for (const [index, text] of texts.entries()) {
		const ids = lines[index]!.split(' ').filter(Boolean).map(Number);
		expect(tokenizer.encode(text, {addBos: false}), JSON.stringify(text)).toEqual(ids);
		expect(tokenizer.decode(ids)).toBe(text);
	}
});
