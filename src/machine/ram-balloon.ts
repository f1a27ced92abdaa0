import type { VirtioBalloon } from "../devices/virtio/balloon/balloon.ts";
import { COUNTS } from "../devices/virtio/balloon/statistics.ts";
import type { MemoryBalloon } from "./runnable.ts";

const MIB = 2 ** 20;

/** A balloon as those see it who think of the guest's RAM. */
export class RamBalloon implements MemoryBalloon {
  readonly #device: VirtioBalloon;
  readonly #ram: number;

  constructor(device: VirtioBalloon, ram: number) {
    this.#device = device;
    this.#ram = ram;
  }

  setTarget(bytes: number): void {
    this.#device.want(Math.max(0, this.#ram - bytes));
  }

  describe(): string {
    const { held, wanted, reported, statistics } = this.#device.memory();
    const mib = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;
    const rows = [...statistics].map(([name, value]) => [name, COUNTS.has(name) ? `${value}` : mib(value)] as const);
    return [
      ["RAM that the guest uses", mib(this.#ram - held)],
      ["RAM that it should use", mib(this.#ram - wanted)],
      ["reported as free so far", mib(reported)],
      ...rows.map(([name, value]) => [`guest: ${name}`, value] as const),
    ]
      .map(([name = "", value]) => `${name.padEnd(30)}${value}\n`)
      .join("");
  }
}
