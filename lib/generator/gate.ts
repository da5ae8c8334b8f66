/** Something to wait for until it opens; then it can be shut again. */
export class Gate {
	#waiting: {readonly promise: Promise<void>; readonly open: () => void} | undefined;

	/** Settles when the gate opens: the same promise for all who wait. */
	wait(): Promise<void> {
		if (!this.#waiting) {
			let open = () => {};
			const promise = new Promise<void>(resolve => {
				open = resolve;
			});
			this.#waiting = {promise, open};
		}
		return this.#waiting.promise;
	}

	open(): void {
		this.#waiting?.open();
		this.#waiting = undefined;
	}
}
