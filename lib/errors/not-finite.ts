import {ExlError} from './error.js';

/** The error of a model that computes what is no number. @param whose `the model`. */
export function logitsNotFinite(whose: string, where = ''): ExlError {
	const message = `the logits of ${whose}${where} are not finite: its weights may be damaged; download them again`;
	return new ExlError('EXL_MODEL_INVALID', message);
}
