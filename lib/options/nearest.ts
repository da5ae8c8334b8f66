/** `max_tokens` is `maxTokens` written by someone coming from another library. */
const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');

/** The known name `name` was probably meant to be; undefined if none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
	const scored = known.map(candidate => ({
		candidate,
		distance: editDistance(plain(name), plain(candidate)),
		// Of `stop` and `topP`, which are as near to `stopp`, the one that begins like it.
		begins: plain(candidate)[0] === plain(name)[0] ? 0 : 1,
	}));
	const best = scored.sort((a, b) => a.distance - b.distance || a.begins - b.begins)[0];
	// `temp` is a beginning of `temperature`, however near `topP` is.
	const longer = plain(name).length < 3 ? undefined : known.find(candidate => plain(candidate).startsWith(plain(name)));
	if (longer !== undefined && best!.distance > 1) return longer;
	return best && best.distance <= Math.ceil(plain(best.candidate).length / 3) ? best.candidate : undefined;
}

/** The same for values, of which short ones differ in a letter because they differ in meaning: `gpu` is not `cpu`. */
export function nearestValue(value: string, known: readonly string[]): string | undefined {
	const best = nearest(value, known);
	return best !== undefined && (plain(best) === plain(value) || plain(best).length > 3) ? best : undefined;
}

/** Levenshtein distance: single-character insertions, deletions and replacements. */
function editDistance(a: string, b: string): number {
	let row = Array.from({length: b.length + 1}, (_, i) => i);
	for (let i = 1; i <= a.length; i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++) {
			const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
			next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
		}
		row = next;
	}
	return row[b.length]!;
}
