// What a domain's saved state and the domain that takes it must have in common.

import { fingerprint } from "../../cpu/saved-state.ts";
import { PE_FEATURES } from "../../cpu/sysreg-layout.ts";
import { VirtioMmio } from "../../devices/virtio/mmio.ts";
import { LAYOUT } from "../../machine/snapshot/shape.ts";
import type { Saved } from "../../snapshot/fields.ts";
import type { Domain } from "../domain.ts";
import { CONTEXT, SAVED_AP0R0, SAVED_AP1R0, SAVED_LISTS, SAVED_VMCR } from "../vcpu.ts";

/** Of how a domain's state lies in memory, which builds of Atoll may change. */
export const DOMAIN_LAYOUT = fingerprint({
  ...{ machine: LAYOUT, SAVED_LISTS, SAVED_VMCR, SAVED_AP0R0, SAVED_AP1R0 },
  context: CONTEXT.map((range) => range.join("-")).join(),
});

/** What the guest sees of its machine, as far as it is the same all the time. */
export function shapeOfDomain({ config, bus, vcpus }: Domain): Saved {
  return {
    ...{ memory: config.memory, cpus: config.cpus },
    processor: vcpus[0]?.saved.word(PE_FEATURES) ?? 0,
    windows: bus.windows().map(({ name, base, device }) => ({
      ...{ name, base, size: device.size },
      device: device instanceof VirtioMmio ? (device.device?.id ?? 0) : null,
    })),
  };
}
