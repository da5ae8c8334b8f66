/** C's `strftime`, in English whatever the locale, because that is what models were trained on. Local time. */
export function strftime(format: string, date: Date): string {
	const name = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en-US', options).format(date);
	const write = (inner: string) => strftime(inner, date);
	const pad = (number: number, width = 2, fill = '0') => String(number).padStart(width, fill);
	const hours = date.getHours() % 12 || 12;
	const dayOfYear = Math.round(
		(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 0)) / 864e5,
	);
	const fields: Record<string, () => string> = {
		Y: () => String(date.getFullYear()),
		C: () => pad(Math.floor(date.getFullYear() / 100)),
		y: () => pad(date.getFullYear() % 100),
		m: () => pad(date.getMonth() + 1),
		d: () => pad(date.getDate()),
		e: () => pad(date.getDate(), 2, ' '),
		j: () => pad(dayOfYear, 3),
		H: () => pad(date.getHours()),
		I: () => pad(hours),
		k: () => pad(date.getHours(), 2, ' '),
		l: () => pad(hours, 2, ' '),
		M: () => pad(date.getMinutes()),
		S: () => pad(date.getSeconds()),
		f: () => pad(date.getMilliseconds() * 1000, 6),
		p: () => (date.getHours() < 12 ? 'AM' : 'PM'),
		P: () => (date.getHours() < 12 ? 'am' : 'pm'),
		B: () => name({month: 'long'}),
		b: () => name({month: 'short'}),
		h: () => name({month: 'short'}),
		A: () => name({weekday: 'long'}),
		a: () => name({weekday: 'short'}),
		u: () => String(date.getDay() || 7),
		w: () => String(date.getDay()),
		s: () => String(Math.floor(date.getTime() / 1000)),
		D: () => write('%m/%d/%y'),
		x: () => write('%m/%d/%y'),
		F: () => write('%Y-%m-%d'),
		T: () => write('%H:%M:%S'),
		X: () => write('%H:%M:%S'),
		R: () => write('%H:%M'),
		r: () => write('%I:%M:%S %p'),
		c: () => write('%a %b %e %H:%M:%S %Y'),
		// Python's datetime.now() knows no time zone.
		z: () => '',
		Z: () => '',
		n: () => '\n',
		t: () => '\t',
		'%': () => '%',
	};
	return format.replace(/%(-?)([A-Za-z%])/g, (all, bare: string, letter: string) => {
		const field = fields[letter]?.();
		return field === undefined ? all : bare ? field.replace(/^[0 ]+(?=.)/, '') : field;
	});
}
