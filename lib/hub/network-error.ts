const words: {readonly [code: string]: string} = {
	ECONNREFUSED: 'connection refused',
	ECONNRESET: 'the connection broke',
	ECONNABORTED: 'the connection broke',
	EPIPE: 'the connection broke',
	ENOTFOUND: 'its name is unknown',
	EAI_AGAIN: 'its name could not be looked up',
	ETIMEDOUT: 'no answer',
	EHOSTUNREACH: 'there is no way to it',
	ENETUNREACH: 'there is no way to it',
	EPROTO: 'it does not speak TLS',
	ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
};

export function codeOf(error: unknown): string {
	const code = (error as {code?: unknown} | undefined)?.code;
	return typeof code === 'string' ? code : '';
}

/** Why a connection failed, to follow a colon. */
export function describeNetworkError(error: unknown): string {
	// Several addresses were tried, each with a failure of its own.
	const first = error instanceof AggregateError ? error.errors[0] : error;
	return words[codeOf(first)] ?? (first instanceof Error ? first.message : String(first));
}

const certificates =
	/^(?:CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH_EXCEEDED)/;

export function isCertificateError(error: unknown): boolean {
	return certificates.test(codeOf(error));
}
