// Names and versions of a snapshot's sections. A change of what one holds is a new version, which older builds then refuse.

import type { BusWindow } from "../../bus/bus.ts";
import type { Device, Stateful } from "../../bus/device.ts";

export const CONFIGURATION = "configuration";
export const MACHINE = "machine";
export const INTERRUPTS = "gic";
export const peSection = (index: number): string => `pe.${index}`;
export const memorySection = (region: string): string => `memory.${region}`;
export const deviceSection = (window: string): string => `device.${window}`;

/** Of all sections: none has changed yet. */
export const SECTION_VERSION = 1;
/** Bytes of a section that is no memory. */
export const SECTION_MAX = 64 * 0x10_0000;

/** A window whose device has state outside of linear memory. */
export type StatefulWindow = BusWindow & { readonly device: Device & Stateful };

export function isStateful(window: BusWindow): window is StatefulWindow {
  return window.device.save !== undefined && window.device.restore !== undefined;
}
