import * as v from 'valibot';
import {readModelJson, readModelText} from '../options/model-file.js';

const token = v.nullish(v.union([v.string(), v.looseObject({content: v.string()})]));
const named = v.array(v.looseObject({name: v.string(), template: v.string()}));

/** Tokens whose texts templates may ask for. */
const tokenNames = [
	'bos_token',
	'eos_token',
	'unk_token',
	'pad_token',
	'cls_token',
	'sep_token',
	'mask_token',
] as const;

const tokenizerConfig = v.looseObject({
	bos_token: token,
	eos_token: token,
	unk_token: token,
	pad_token: token,
	cls_token: token,
	sep_token: token,
	mask_token: token,
	chat_template: v.nullish(v.union([v.string(), named])),
});

export type TemplateSource = {
	/** Jinja sources by name; `default` is used unless there are tools and a `tool_use`. Empty if the model has none. */
	readonly templates: Readonly<Record<string, string>>;
	/** Texts of special tokens by the names that templates have for them, such as `bos_token`. */
	readonly tokens?: Readonly<Record<string, string>>;
};

/** Reads chat_template.jinja, or else `chat_template` of tokenizer_config.json. @throws {ExlError} `EXL_FORMAT_INVALID` */
export async function readTemplateSource(directory: string): Promise<TemplateSource> {
	const [file, config] = await Promise.all([
		readModelText(directory, 'chat_template.jinja'),
		readModelJson(directory, 'tokenizer_config.json', tokenizerConfig),
	]);
	const textOf = (value: v.InferOutput<typeof token>) => (typeof value === 'string' ? value : value?.content);
	const chosen = file ?? config?.chat_template ?? [];
	return {
		templates: Object.fromEntries(
			typeof chosen === 'string' ? [['default', chosen]] : chosen.map(entry => [entry.name, entry.template]),
		),
		tokens: Object.fromEntries(
			tokenNames.flatMap(name => {
				const text = textOf(config?.[name]);
				return text === undefined ? [] : [[name, text]];
			}),
		),
	};
}
