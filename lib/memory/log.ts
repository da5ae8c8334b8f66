/** Whether `EXL_LOG` (a list of topics separated by commas) asks for a topic. */
export function logs(topic: string): boolean {
	return (process.env.EXL_LOG ?? '').split(',').includes(topic);
}

/** One line on stderr for `EXL_LOG=device`. */
export function logDevice(message: string): void {
	if (logs('device')) write(`node-exllama device: ${message}`);
}

/** One line on stderr for `EXL_LOG=memory`. */
export function logMemory(message: () => string): void {
	if (logs('memory')) write(`node-exllama memory: ${message()}`);
}

let listens = false;

/** Where stderr is closed or its disk is full, a line is lost and the process is not. */
function write(line: string): void {
	if (!listens) process.stderr.on('error', () => {});
	listens = true;
	process.stderr.write(`${line}\n`);
}
