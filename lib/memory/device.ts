import {addon, backendPlace, type NativeHandle} from '../native/index.js';

/** One device: what the others are numbers of is a kind. */
export type DeviceKind = 'cpu' | 'reference' | `cuda:${number}` | `emulator:${number}`;

/** A device as long as somebody uses it: its engine thread starts with the first user and ends with the last. */
export class Device {
	static readonly #open = new Map<DeviceKind, Device>();

	readonly kind: DeviceKind;
	readonly id: NativeHandle;
	#users = 0;

	private constructor(kind: DeviceKind) {
		this.kind = kind;
		const [name, index = '0'] = kind.split(':') as [string, string?];
		this.id = addon().openDevice(name, Number(index), backendPlace());
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
	async drain(): Promise<void> {
		return addon().drain(this.id);
	}

	/** Gives one share back after what is in flight has run; the last one closes the device. */
	async release(): Promise<void> {
		// If there is no memory left to ask for that, the share is given back all the same.
		await this.drain().catch(() => {});
		this.#users--;
		if (this.#users > 0) return;
		// What is still on the ledger would be a leak of ours: it must stay visible.
		if (addon().totals(this.id).buffers > 0) return;
		Device.#open.delete(this.kind);
		addon().closeDevice(this.id);
	}
}
