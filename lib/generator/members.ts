import type {PageCopy, PageTable} from '../cache/index.js';
import type {Job} from './job.js';

/** The jobs of the batch, each with its pages and its rows of the page table. */
export class Members {
	readonly #pages: PageTable;
	/** In the order of their priority and arrival. */
	readonly #jobs: Job[] = [];
	readonly #freeRows: number[];

	constructor(pages: PageTable, rows: number) {
		this.#pages = pages;
		this.#freeRows = Array.from({length: rows}, (_, row) => row).reverse();
	}

	get jobs(): readonly Job[] {
		return this.#jobs;
	}

	/**
	Takes a job in, if there are pages and rows for it.

	@param copy Called for pages that are to be copied, also where the job then finds no place: the copies stay.
	*/
	add(job: Job, copy: (copy: PageCopy) => void): boolean {
		if (this.#freeRows.length < job.strands.length || job.triedAt === this.#pages.changes) return false;
		for (const strand of job.strands) {
			// One page for each job that is there already to go on in; else they would take turns in driving each other out.
			const opened = this.#pages.open(strand.ids, this.#jobs.length);
			if (!opened) {
				this.remove(job);
				job.triedAt = this.#pages.changes;
				return false;
			}
			strand.sequence = opened.sequence;
			strand.row = this.#freeRows.pop()!;
			if (opened.copy) copy(opened.copy);
		}
		const at = this.#jobs.findIndex(other => comesBefore(job, other));
		this.#jobs.splice(at < 0 ? this.#jobs.length : at, 0, job);
		return true;
	}

	/** Gives back what the job has. What is under way uses its pages before anybody else does. */
	remove(job: Job): void {
		const at = this.#jobs.indexOf(job);
		if (at >= 0) this.#jobs.splice(at, 1);
		for (const strand of job.strands) {
			strand.sequence?.release();
			strand.sequence = undefined;
			if (strand.row >= 0) this.#freeRows.push(strand.row);
			strand.row = -1;
			strand.planned = 0;
		}
	}
}

function comesBefore(a: Job, b: Job): boolean {
	return a.priority > b.priority || (a.priority === b.priority && a.serial < b.serial);
}
