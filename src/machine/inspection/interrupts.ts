// Interrupts as a guest's own look at the controller's registers finds them: from line to list register.

import { sysregId } from "../../arch/sysreg-names.ts";
import type { DebuggedSysregs } from "../gdb/registers.ts";
import { GICR_STRIDE, MAP, PPI, SPI, spi, VIRTIO_SLOTS } from "../memory-map.ts";

/** Reads a word of a device at a physical address, as a PE does. */
export type ReadDevice = (cpu: number, address: number) => number;

export interface InterruptView {
  readonly id: number;
  readonly name: string;
  /** Of private interrupts: whose. */
  readonly cpu: number | undefined;
  readonly enabled: boolean;
  readonly pending: boolean;
  readonly active: boolean;
  readonly priority: number;
}

/** A list register of a PE's virtual interface (ICH_LR<n>_EL2). */
export interface ListRegisterView {
  readonly cpu: number;
  readonly index: number;
  readonly state: "pending" | "active" | "pending and active";
  readonly virtualId: number;
  readonly priority: number;
  /** The physical interrupt that is deactivated with it. */
  readonly physicalId: number | undefined;
}

// Offsets of the distributor and of SGI_base (GIC IHI 0069, 12.9 and 12.11).
const ISENABLER = 0x100;
const ISPENDR = 0x200;
const ISACTIVER = 0x300;
const IPRIORITYR = 0x400;
const SGI_BASE = 0x1_0000;
const FIRST_SPI = 32;
const LIST_REGISTERS = 16;

const NAMES = new Map<number, string>([
  [PPI.virtualTimer, "virtual timer"],
  [PPI.physicalTimer, "physical timer"],
  [PPI.hypervisorTimer, "hypervisor timer"],
  [PPI.hypervisorVirtualTimer, "hypervisor virtual timer"],
  [PPI.securePhysicalTimer, "secure timer"],
  [PPI.gicMaintenance, "GIC maintenance"],
  [PPI.pmu, "PMU"],
  [spi(SPI.uart), "PL011"],
  [spi(SPI.rtc), "PL031"],
  [spi(SPI.gpio), "PL061"],
  ...Array.from({ length: VIRTIO_SLOTS }, (_, slot) => [spi(SPI.virtio0 + slot), `virtio ${slot}`] as const),
]);

/** Those that are enabled, pending or active. */
export function interruptViews(read: ReadDevice, gicVersion: 2 | 3, cpus: number, most: number): InterruptView[] {
  const found: InterruptView[] = [];
  const look = (base: number, cpu: number, first: number, owner: number | undefined): void => {
    const word = (offset: number): number => read(cpu, base + offset + (first >> 5) * 4);
    const [enabled, pending, active] = [word(ISENABLER), word(ISPENDR), word(ISACTIVER)];
    for (let i = 0; i < 32; i++) {
      if (!(((enabled | pending | active) >>> i) & 1)) continue;
      const id = first + i;
      const priority = (read(cpu, base + IPRIORITYR + (id & ~3)) >>> ((id & 3) * 8)) & 0xff;
      const set = (bits: number): boolean => ((bits >>> i) & 1) === 1;
      found.push({
        ...{ id, priority, cpu: owner, name: NAMES.get(id) ?? (id < 16 ? `SGI ${id}` : `INTID ${id}`) },
        ...{ enabled: set(enabled), pending: set(pending), active: set(active) },
      });
    }
  };
  for (let cpu = 0; cpu < cpus; cpu++) {
    look(gicVersion === 3 ? MAP.gicr.base + cpu * GICR_STRIDE + SGI_BASE : MAP.gicd.base, cpu, 0, cpu);
  }
  for (let first = FIRST_SPI; first < most; first += 32) look(MAP.gicd.base, 0, first, undefined);
  return found;
}

const STATES = [undefined, "pending", "active", "pending and active"] as const;

/** The list registers of a PE that are not empty (GICv3; GIC IHI 0069, 12.4.8). */
export function listRegisterViews(cpu: number, sysregs: Pick<DebuggedSysregs, "inspect">): ListRegisterView[] {
  const found: ListRegisterView[] = [];
  for (let index = 0; index < LIST_REGISTERS; index++) {
    const id = sysregId(`ICH_LR${index}_EL2`);
    const [low, high] = sysregs.inspect(id) ?? [0, 0];
    const state = STATES[high >>> 30];
    if (state === undefined) continue;
    const isHardware = ((high >>> 29) & 1) === 1;
    found.push({
      ...{ cpu, index, state, virtualId: low >>> 0, priority: (high >>> 16) & 0xff },
      physicalId: isHardware ? high & 0x1fff : undefined,
    });
  }
  return found;
}
