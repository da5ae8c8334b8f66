// @ts-check
'use strict';

// Runs when the package is installed. A prebuilt binary that loads is all that is wanted; otherwise the addon is built
// from source. Nothing is downloaded.

const {root, build, main} = require('./native-build.cjs');

function prebuildLoads() {
	if (process.env.npm_config_build_from_source) return false;
	try {
		// @ts-expect-error: it has no types
		require('node-gyp-build')(root);
		return true;
	} catch {
		return false;
	}
}

main(() => {
	if (!prebuildLoads()) build();
});
