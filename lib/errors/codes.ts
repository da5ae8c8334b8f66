/**
Every code an `ExlError` can carry, with the sentence `docs/errors.md` explains it by.

The order is shared with `enum class Code` in `native/base/error.h`; a test holds the three together.
*/
export const errorCodes = {
	EXL_MODEL_NOT_FOUND: 'The model directory or one of its required files does not exist.',
	EXL_MODEL_INVALID:
		'The model directory is there, but its configuration or tensors contradict each other or compute what is no number.',
	EXL_MODEL_UNSUPPORTED: 'The model is well formed, but its architecture or a feature of it is not implemented.',
	EXL_FORMAT_INVALID: 'A file is damaged: truncated, or its contents break the rules of its format.',
	EXL_FORMAT_UNSUPPORTED: 'A file uses a format, type or bit width that is not implemented.',
	EXL_SHAPE_MISMATCH: 'A tensor does not have the shape its place requires.',
	EXL_UNSUPPORTED_OP: 'No kernel of the chosen backend can run an operation.',
	EXL_INVALID_ARGUMENT: 'An option or argument is missing, of the wrong type, or out of range.',
	EXL_OUT_OF_MEMORY: 'The system has no more memory, threads or files to open.',
	EXL_CACHE_FULL: 'The prompt can never fit into the key/value cache.',
	EXL_CONTEXT_LENGTH: 'The prompt is longer than the model was made for.',
	EXL_DOWNLOAD_FAILED: 'The hub, the proxy or the network in between did not deliver.',
	EXL_DOWNLOAD_DENIED: 'The hub does not give the model to this account.',
	EXL_DOWNLOAD_CORRUPT: 'A downloaded file has twice not had the digest that the hub names.',
	EXL_DISK_FULL: 'The disk of the cache has no room for the model.',
	EXL_DEVICE_UNAVAILABLE: 'The requested device does not exist or cannot be used.',
	EXL_DEVICE_LOST: 'The device failed: the process must be restarted to use it again.',
	EXL_DISPOSED: 'The object was used after dispose().',
	EXL_ABORTED: 'The call was aborted and no reason was given.',
	EXL_NATIVE_NOT_FOUND: 'No native build fits this platform, or the one that does cannot be loaded.',
	EXL_ISOLATE_EXITED: 'The child process that ran the model exited.',
	EXL_INTERNAL: 'A bug in node-exllama.',
} as const;

/** What kind of failure an `ExlError` is. */
export type ErrorCode = keyof typeof errorCodes;
