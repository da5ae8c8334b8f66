/** Whether `EXL_LOG` (a list of topics separated by commas) asks for a topic. */
export function logs(topic: string): boolean {
	return (process.env.EXL_LOG ?? '').split(',').includes(topic);
}

/** One line on stderr for `EXL_LOG=device`. */
export function logDevice(message: string): void {
	if (logs('device')) process.stderr.write(`node-exllama device: ${message}\n`);
}

/** One line on stderr for `EXL_LOG=memory`. */
export function logMemory(message: string): void {
	if (logs('memory')) process.stderr.write(`node-exllama memory: ${message}\n`);
}
