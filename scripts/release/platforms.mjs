// @ts-check

// The systems there are binaries for: the one table of them. Each has a package, @node-exllama/<name>, which npm installs
// where `os`, `cpu` and `libc` fit.

/**
 * @typedef {object} Platform
 * @property {string} name
 * @property {NodeJS.Platform} os
 * @property {'x64' | 'arm64'} cpu
 * @property {'glibc' | 'musl'} [libc]
 * @property {string} zig what zig calls it; glibc with the oldest version that is to serve
 */

/** @type {readonly Platform[]} */
export const platforms = [
	{name: 'linux-x64', os: 'linux', cpu: 'x64', libc: 'glibc', zig: 'x86_64-linux-gnu.2.28'},
	{name: 'linux-x64-musl', os: 'linux', cpu: 'x64', libc: 'musl', zig: 'x86_64-linux-musl'},
	{name: 'linux-arm64', os: 'linux', cpu: 'arm64', libc: 'glibc', zig: 'aarch64-linux-gnu.2.28'},
	{name: 'darwin-arm64', os: 'darwin', cpu: 'arm64', zig: 'aarch64-macos'},
	{name: 'darwin-x64', os: 'darwin', cpu: 'x64', zig: 'x86_64-macos'},
	{name: 'win32-x64', os: 'win32', cpu: 'x64', zig: 'x86_64-windows-gnu'},
];

/** @param {Platform} platform */
export const packageName = ({name}) => `@node-exllama/${name}`;

/** Below `prebuilds/`, as prebuildify names it. @param {Platform} platform */
export const prebuildName = ({os, cpu, libc}) => `${os}-${cpu}/node-exllama${libc ? `.${libc}` : ''}.node`;

/** The platform of this process, if there are binaries for it. */
export function hostPlatform() {
	return platforms.find(
		({os, cpu, libc}) => os === process.platform && cpu === process.arch && (!libc || libc === hostLibc()),
	);
}

function hostLibc() {
	const report = /** @type {{header: {glibcVersionRuntime?: string}}} */ (process.report.getReport());
	return report.header.glibcVersionRuntime ? 'glibc' : 'musl';
}
