// What is used of Electron, whose types come with all of it.

declare module 'electron' {
	export const utilityProcess: {
		fork(path: string): {
			on(event: 'message', listener: (message: string) => void): void;
			postMessage(message: unknown): void;
		};
	};
}
