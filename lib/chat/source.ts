import * as v from 'valibot';
import {readModelJson, readModelText} from '../options/model-file.js';

const token = v.nullish(v.union([v.string(), v.looseObject({content: v.string()})]));
const named = v.array(v.looseObject({name: v.string(), template: v.string()}));

const tokenizerConfig = v.looseObject({
	bos_token: token,
	eos_token: token,
	chat_template: v.nullish(v.union([v.string(), named])),
});

export type TemplateSource = {
	/** Jinja sources by name; `default` is used unless there are tools and a `tool_use`. Empty if the model has none. */
	readonly templates: Readonly<Record<string, string>>;
	readonly bosToken?: string | undefined;
	readonly eosToken?: string | undefined;
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
		bosToken: textOf(config?.bos_token),
		eosToken: textOf(config?.eos_token),
	};
}
