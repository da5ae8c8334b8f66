/** Every stage of sampling as its definition says it, over plain lists and in double precision. */
export type Settings = {
	temperature: number;
	temperatureLast?: boolean;
	smoothingFactor?: number;
	dynamic?: {min: number; max: number; exponent: number};
	topK?: number;
	topP?: number;
	topA?: number;
	minP?: number;
	tfs?: number;
	typicalP?: number;
	/** A surprise, not the tau it comes from. */
	mirostatMu?: number;
	xtc?: {threshold: number; ignored: number[]};
	exllamav2?: boolean;
	penalties?: {repetition: number; presence: number; frequency: number; range: number; decay: number};
	dry?: {multiplier: number; base: number; allowedLength: number; range: number; breakers: number[]};
	bias?: Record<number, number>;
	allowed?: number[];
	/** With the end tokens, while those are blocked. */
	banned?: number[];
};

type Token = {id: number; p: number};

export function reference(given: ArrayLike<number>, settings: Settings, history: readonly number[] = []): Token[] {
	const logits = Array.from(given, x => (Number.isNaN(x) ? -1e30 : Math.min(1e30, Math.max(-1e30, x))));
	penalise(logits, settings.penalties, history);
	for (const [id, bias] of Object.entries(settings.bias ?? {})) logits[Number(id)]! += bias;
	dry(logits, settings.dry, history);

	const {allowed, banned = []} = settings;
	const ids = logits.map((_, id) => id).filter(id => (!allowed || allowed.includes(id)) && !banned.includes(id));
	const largest = ids.reduce((most, id) => Math.max(most, logits[id]!), Number.NEGATIVE_INFINITY);
	if (settings.temperature === 0) return [{id: ids.find(id => logits[id] === largest)!, p: 1}];

	const temperature = settings.temperatureLast ? 1 : settings.temperature;
	const smoothing = settings.smoothingFactor ?? 0;
	const weight = (logit: number) =>
		smoothing > 0
			? Math.exp((-((logit - largest) ** 2) * smoothing) / temperature)
			: Math.exp((logit - largest) / temperature);
	let tokens = normalised(ids.map(id => ({id, p: weight(logits[id]!)})));
	for (const stage of stages) if (tokens.length > 1) tokens = normalised(stage(tokens, settings));
	return tokens;
}

/** Most probable first; of equal ones the lower id. */
export const descending = (tokens: readonly Token[]) => [...tokens].sort((a, b) => b.p - a.p || a.id - b.id);

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0);

function normalised(tokens: readonly Token[]): Token[] {
	const sum = sumOf(tokens.map(({p}) => p));
	return tokens.map(({id, p}) => ({id, p: p / sum}));
}

/** The fewest first ones that have `share` of the probability. */
function prefix(tokens: readonly Token[], share: number): Token[] {
	let mass = 0;
	const end = tokens.findIndex(({p}) => {
		mass += p;
		return mass >= share;
	});
	return end < 0 ? [...tokens] : tokens.slice(0, end + 1);
}

const isShare = (share = 0) => share > 0 && share < 1;

type Stage = (tokens: Token[], settings: Settings) => Token[];

const stages: readonly Stage[] = [topK, topP, topA, minP, tailFree, typical, mirostat, postTemperature, xtc];

function topK(tokens: Token[], {topK: k = 0}: Settings): Token[] {
	return k > 0 ? descending(tokens).slice(0, k) : tokens;
}

function topP(tokens: Token[], {topP: share, exllamav2}: Settings): Token[] {
	if (!isShare(share)) return tokens;
	if (!exllamav2) return prefix(descending(tokens), share!);
	let kept: Token[] = [];
	for (const token of tokens) {
		const full = sumOf(kept.map(({p}) => p)) > share!;
		if (token.p < 1e-6 || (full && token.p < Math.min(...kept.map(({p}) => p)))) continue;
		kept = descending([...kept, token]);
		while (kept.length > 1 && sumOf(kept.map(({p}) => p)) > share!) kept.pop();
	}
	return kept.length > 0 ? kept : tokens.slice(0, 1);
}

const most = (tokens: readonly Token[]) => tokens.reduce((largest, {p}) => Math.max(largest, p), 0);

function topA(tokens: Token[], {topA: a = 0}: Settings): Token[] {
	const least = a * most(tokens) ** 2;
	return tokens.filter(({p}) => p >= least);
}

function minP(tokens: Token[], {minP: m = 0}: Settings): Token[] {
	const least = m * most(tokens);
	return tokens.filter(({p}) => p >= least);
}

function tailFree(tokens: Token[], {tfs: z}: Settings): Token[] {
	if (!isShare(z) || tokens.length < 3) return tokens;
	const sorted = descending(tokens);
	const bends = sorted.slice(2).map(({p}, i) => Math.abs(sorted[i]!.p - 2 * sorted[i + 1]!.p + p));
	const sum = sumOf(bends);
	if (sum === 0) return tokens;
	let passed = 0;
	const end = bends.findIndex(bend => {
		passed += bend / sum;
		return passed > z!;
	});
	return sorted.slice(0, (end < 0 ? bends.length : end) + 1);
}

function typical(tokens: Token[], {typicalP: share, exllamav2}: Settings): Token[] {
	if (!isShare(share)) return tokens;
	const candidates = exllamav2 ? tokens.filter(({p}) => p >= 1e-8) : tokens;
	const measure = (p: number) => (exllamav2 ? p + Math.log(p + 1e-10) : Math.log(p));
	const mean = sumOf(candidates.map(({p}) => (p > 0 ? p * measure(p) : 0)));
	const far = ({p}: Token) => Math.abs(measure(p) - mean);
	const kept = prefix(
		[...candidates].sort((a, b) => far(a) - far(b)),
		share!,
	);
	const reached = sumOf(kept.map(({p}) => p)) >= share!;
	return exllamav2 && reached && kept.length > 1 ? kept.slice(0, -1) : kept;
}

function mirostat(tokens: Token[], {mirostatMu: mu}: Settings): Token[] {
	if (mu === undefined) return tokens;
	const kept = tokens.filter(({p}) => p >= 2 ** -mu);
	return kept.length > 0 ? kept : descending(tokens).slice(0, 1);
}

function postTemperature(tokens: Token[], {temperature, temperatureLast, dynamic}: Settings): Token[] {
	let divisor = temperatureLast ? temperature : 1;
	if (dynamic) {
		const entropy = -sumOf(tokens.map(({p}) => (p > 0 ? p * Math.log(p) : 0)));
		divisor = dynamic.min + (dynamic.max - dynamic.min) * (entropy / Math.log(tokens.length)) ** dynamic.exponent;
	}
	const largest = most(tokens);
	return tokens.map(({id, p}) => ({id, p: (p / largest) ** (1 / divisor)}));
}

function xtc(tokens: Token[], {xtc: settings}: Settings): Token[] {
	if (!settings) return tokens;
	const top = descending(tokens).filter(({id, p}) => p >= settings.threshold && !settings.ignored.includes(id));
	const removed = new Set(top.slice(0, -1));
	return tokens.filter(token => !removed.has(token));
}

function penalise(logits: number[], settings: Settings['penalties'], history: readonly number[]): void {
	if (!settings) return;
	let {repetition, presence, frequency, range: sustain} = settings;
	const {decay} = settings;
	if (sustain < 0) sustain = history.length;
	const begin = Math.max(0, history.length - sustain - decay);
	const met = new Set<number>();
	for (let i = history.length - 1; i >= begin; i--) {
		const id = history[i]!;
		if (id < logits.length) {
			if (!met.has(id)) {
				const logit = logits[id]!;
				logits[id] = (logit > 0 ? logit / repetition : logit * repetition) - presence;
				met.add(id);
			}
			logits[id]! -= frequency;
		}
		if (--sustain < 0) {
			repetition += (1 - settings.repetition) / decay;
			presence -= settings.presence / decay;
			frequency -= settings.frequency / decay;
		}
	}
}

function dry(logits: number[], settings: Settings['dry'], history: readonly number[]): void {
	if (!settings) return;
	const {multiplier, base, allowedLength, range, breakers} = settings;
	const text = range > 0 ? history.slice(-range) : history;
	const lengths = new Map<number, number>();
	for (let next = 1; next < text.length; next++) {
		let length = 0;
		for (; length < Math.min(next, 50); length++) {
			const token = text[text.length - 1 - length]!;
			if (text[next - 1 - length] !== token || breakers.includes(token)) break;
		}
		const id = text[next]!;
		if (!breakers.includes(id)) lengths.set(id, Math.max(length, lengths.get(id) ?? 0));
	}
	for (const [id, length] of lengths) {
		if (length >= allowedLength && id < logits.length) logits[id]! -= multiplier * base ** (length - allowedLength);
	}
}
