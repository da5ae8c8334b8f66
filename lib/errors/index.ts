export {type ErrorCode, errorCodes} from './codes.js';
export {ExlError, type ExlErrorOptions, isExlError} from './error.js';
export {logitsNotFinite} from './not-finite.js';
