export {pageTokens} from './page.js';
export {type PageCopy, type PageStatistics, PageTable} from './page-table.js';
export type {PagedSequence} from './sequence.js';
