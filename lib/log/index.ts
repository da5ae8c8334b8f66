/** Whatever has these methods, `console` among them. */
export type Logger = {
	/** What is created and disposed of. */
	debug(message: string): void;
	/** What was chosen, and why. */
	info(message: string): void;
	/** A way that is slower than the best, and what was lost. */
	warn(message: string): void;
	/** What went wrong and no call rejected for. */
	error(message: string): void;
};

export type Level = keyof Logger;

/** What a message is about: `EXL_LOG` names those to show. */
export type Topic = 'device' | 'memory' | 'model';

/** How many models brought each logger. */
const loggers = new Map<Logger, number>();

/**
Tells something that no caller waits for: to the loggers of the loaded models, and on stderr if `EXL_LOG` (topics
separated by commas, or `all`) asks for its topic. Otherwise nobody hears it.
*/
export function log(topic: Topic, level: Level, message: () => string): void {
	const shown = isShown(topic);
	if (!shown && loggers.size === 0) return;
	const line = `${topic}: ${message()}`;
	if (shown) write(`node-exllama ${line}`);
	for (const logger of loggers.keys()) tell(logger, level, line);
}

/** Tells a logger everything from now on, until the returned function is called. */
export function addLogger(logger: Logger | undefined): () => void {
	if (logger === undefined) return () => {};
	let isIn = true;
	loggers.set(logger, (loggers.get(logger) ?? 0) + 1);
	return () => {
		if (!isIn) return;
		isIn = false;
		const left = loggers.get(logger)! - 1;
		if (left > 0) loggers.set(logger, left);
		else loggers.delete(logger);
	};
}

/** Calls a logger; what it throws is ignored. */
export function tell(logger: Logger, level: Level, line: string): void {
	try {
		logger[level](line);
	} catch {}
}

let listens = false;

/** Where stderr is closed or its disk is full, a line is lost and the process is not. */
function write(line: string): void {
	if (!listens) process.stderr.on('error', () => {});
	listens = true;
	process.stderr.write(`${line}\n`);
}

function isShown(topic: Topic): boolean {
	const topics = process.env.EXL_LOG?.split(',').map(each => each.trim()) ?? [];
	return topics.includes(topic) || topics.includes('all');
}
