// What blocks of code take for granted.

import type {ChatMessage, Model} from '../../../dist/index.js';

declare global {
	const model: Model;
	const messages: ChatMessage[];
	/** Model directories. */
	const path: string;
	const small: string;
	const large: string;

	// Electron's.
	namespace NodeJS {
		interface Process {
			readonly resourcesPath: string;
			readonly parentPort: {
				on(event: 'message', listener: (message: {data: string}) => void): void;
				postMessage(message: unknown): void;
			};
		}
	}
}
