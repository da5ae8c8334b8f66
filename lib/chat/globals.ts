/** Thrown by a template's `raise_exception`: the conversation breaks a rule of the template. */
export class TemplateRefusal extends Error {}

/** What Jinja and Hugging Face's chat templates have without declaring it. @param now What `strftime_now` tells. */
export function templateGlobals(now: Date): Record<string, unknown> {
	return {
		true: true,
		false: false,
		none: null,
		True: true,
		False: false,
		None: null,
		range,
		raise_exception: (message: unknown) => {
			throw new TemplateRefusal(String(message));
		},
		strftime_now: (format: string) => strftime(format, now),
	};
}

function range(first: number, second?: number, step = 1): number[] {
	const [start, stop] = second === undefined ? [0, first] : [first, second];
	if (step === 0) throw new Error('range() must not be called with a step of zero');
	return Array.from({length: Math.max(0, Math.ceil((stop - start) / step))}, (_, i) => start + i * step);
}

/** In English whatever the locale, because that is what models were trained on. Local time. */
function strftime(format: string, date: Date): string {
	const text = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en-US', options).format(date);
	const two = (n: number) => String(n).padStart(2, '0');
	const fields: Record<string, () => string> = {
		Y: () => String(date.getFullYear()),
		y: () => two(date.getFullYear() % 100),
		m: () => two(date.getMonth() + 1),
		d: () => two(date.getDate()),
		H: () => two(date.getHours()),
		M: () => two(date.getMinutes()),
		S: () => two(date.getSeconds()),
		B: () => text({month: 'long'}),
		b: () => text({month: 'short'}),
		A: () => text({weekday: 'long'}),
		a: () => text({weekday: 'short'}),
		'%': () => '%',
	};
	return format.replace(/%(.)/g, (all, letter: string) => fields[letter]?.() ?? all);
}
