// What a snapshot and the machine that it is restored to must have in common.

import { fingerprint, STATE_FINGERPRINT } from "../../cpu/saved-state.ts";
import * as GIC from "../../devices/gic/layout.ts";
import { VirtioMmio } from "../../devices/virtio/mmio.ts";
import { SnapshotError } from "../../snapshot/error.ts";
import type { Saved } from "../../snapshot/fields.ts";
import type { Board } from "../board.ts";
import type { MachineParts } from "../runnable.ts";

/** Of how state lies in linear memory, which builds of Atoll may change. */
export const LAYOUT = fingerprint({ state: STATE_FINGERPRINT }, GIC);

/** What the guest sees of the machine, as far as it is the same all the time. */
export function shapeOf(parts: MachineParts, board: Board): Saved {
  const { memory, cpus, cpu, gicVersion, virtualization = false, secure = false } = parts;
  return {
    ...{ memory, cpus, cpu, gicVersion, virtualization, secure },
    windows: board.bus.windows().map(({ name, base, device }) => ({
      ...{ name, base, size: device.size },
      device: device instanceof VirtioMmio ? (device.device?.id ?? 0) : null,
    })),
  };
}

/** @throws SnapshotError that says what differs. */
export function checkShape(saved: unknown, own: Saved): void {
  const differing = Object.keys(own).find((name) => {
    const theirs = typeof saved === "object" && saved !== null ? (saved as Saved)[name] : undefined;
    return JSON.stringify(theirs) !== JSON.stringify(own[name]);
  });
  if (differing === undefined) return;
  const what = differing === "windows" ? "devices" : differing;
  throw new SnapshotError("other", `the snapshot is of another machine: its ${what} differ`);
}
