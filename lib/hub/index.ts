export {type CachedModel, type CachedRevision, listCached, type Removed, removeCached} from './cached.js';
export {type Pulled, type PullOptions, pull} from './pull.js';
