import {addon, type NativeHandle} from '../native/index.js';

export type DeviceKind = 'cpu' | 'reference';

/** A device as long as somebody uses it: its engine thread starts with the first user and ends with the last. */
export class Device {
	static readonly #open = new Map<DeviceKind, Device>();

	readonly kind: DeviceKind;
	readonly id: NativeHandle;
	#users = 0;

	private constructor(kind: DeviceKind) {
		this.kind = kind;
		this.id = addon().openDevice(kind);
	}

	/** Takes a share in the device; give it back with `release()`. */
	static acquire(kind: DeviceKind): Device {
		const device = Device.#open.get(kind) ?? new Device(kind);
		Device.#open.set(kind, device);
		device.#users++;
		return device;
	}

	/** Devices in use, in the order they were opened. */
	static all(): Device[] {
		return [...Device.#open.values()];
	}

	/** Waits for everything queued so far. */
	drain(): Promise<void> {
		return addon().drain(this.id);
	}

	/** Gives one share back after what is in flight has run; the last one closes the device. */
	async release(): Promise<void> {
		await this.drain();
		this.#users--;
		if (this.#users > 0) return;
		// What is still on the ledger would be a leak of ours: it must stay visible.
		if (addon().totals(this.id).buffers > 0) return;
		Device.#open.delete(this.kind);
		addon().closeDevice(this.id);
	}
}
