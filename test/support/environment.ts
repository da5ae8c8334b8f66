/** Runs with some variables set, and sets them back when it returns or its promise settles. */
export function withEnvironment<T>(variables: Readonly<Record<string, string>>, run: () => T): T {
	const before = {...process.env};
	const restore = () => {
		for (const name of Object.keys(variables)) {
			if (before[name] === undefined) delete process.env[name];
			else process.env[name] = before[name];
		}
	};
	Object.assign(process.env, variables);
	let result: T;
	try {
		result = run();
	} catch (error) {
		restore();
		throw error;
	}
	if (result instanceof Promise) return result.finally(restore) as T;
	restore();
	return result;
}
