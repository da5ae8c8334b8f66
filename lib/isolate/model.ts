import type {Model as LocalModel} from '../model/index.js';

/**
A loaded model. Dispose of it when it is no longer needed: its memory goes back at once.

@interface
*/
export type Model = Pick<LocalModel, Exclude<keyof LocalModel, 'continue'>>;
